// node:path, of POSIX systems.

import { invalidArgType, unsupported } from "node:internal/errors";

const sep = "/";
const delimiter = ":";

function check(path, name = "path") {
  if (typeof path !== "string") {
    throw invalidArgType(name, "of type string", path);
  }
}

function normalizeParts(path, isAbsolute) {
  const parts = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") {
      continue;
    }
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") {
      parts.pop();
    } else if (part !== ".." || !isAbsolute) {
      parts.push(part);
    }
  }
  return parts.join("/");
}

function isAbsolute(path) {
  check(path);
  return path.startsWith("/");
}

function normalize(path) {
  check(path);
  if (path === "") {
    return ".";
  }
  const absolute = isAbsolute(path);
  let result = normalizeParts(path, absolute);
  if (result === "" && !absolute) {
    result = ".";
  }
  if (result !== "" && path.endsWith("/")) {
    result += "/";
  }
  return absolute ? `/${result}` : result;
}

function join(...paths) {
  paths.forEach((path) => check(path));
  const joined = paths.filter((path) => path !== "").join("/");
  return joined === "" ? "." : normalize(joined);
}

function resolve(...paths) {
  let result = "";
  for (const path of paths.toReversed()) {
    check(path);
    if (path !== "") {
      result = result === "" ? path : `${path}/${result}`;
      if (isAbsolute(path)) {
        return `/${normalizeParts(result, true)}`;
      }
    }
  }
  return `/${normalizeParts(`${Deno.cwd()}/${result}`, true)}`;
}

function relative(from, to) {
  const start = resolve(from).split("/").filter(Boolean);
  const end = resolve(to).split("/").filter(Boolean);
  let common = 0;
  while (common < start.length && start[common] === end[common]) {
    common++;
  }
  return [...start.slice(common).map(() => ".."), ...end.slice(common)].join(
    "/",
  );
}

function withoutEnd(path) {
  const end = path.replace(/\/+$/, "");
  return end === "" && path !== "" ? "/" : end;
}

function dirname(path) {
  check(path);
  const clean = withoutEnd(path);
  const slash = clean.lastIndexOf("/");
  if (slash < 0) {
    return ".";
  }
  return slash === 0 ? "/" : withoutEnd(clean.slice(0, slash));
}

function basename(path, suffix = "") {
  check(path);
  const clean = withoutEnd(path);
  const name = clean.slice(clean.lastIndexOf("/") + 1);
  return name !== suffix && suffix !== "" && name.endsWith(suffix)
    ? name.slice(0, -suffix.length)
    : name;
}

function extname(path) {
  const name = basename(path);
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot) : "";
}

function parse(path) {
  const base = basename(path);
  const ext = extname(path);
  const root = isAbsolute(path) ? "/" : "";
  const dir = path.includes("/") ? dirname(path) : "";
  return {
    root,
    dir,
    base,
    ext,
    name: base.slice(0, base.length - ext.length),
  };
}

function format({ root = "", dir = root, base, name = "", ext = "" }) {
  const file = base ?? name + (ext === "" || ext[0] === "." ? ext : `.${ext}`);
  return dir === "" ? file : dir === root ? dir + file : `${dir}/${file}`;
}

const toNamespacedPath = (path) => path;

const path = {
  basename,
  delimiter,
  dirname,
  extname,
  format,
  isAbsolute,
  join,
  normalize,
  parse,
  relative,
  resolve,
  sep,
  toNamespacedPath,
};
path.posix = path;
const posix = path;
const win32 = new Proxy({}, { get: unsupported("path.win32") });
path.win32 = win32;

export default path;
export {
  basename,
  delimiter,
  dirname,
  extname,
  format,
  isAbsolute,
  join,
  normalize,
  parse,
  posix,
  relative,
  resolve,
  sep,
  toNamespacedPath,
  win32,
};
