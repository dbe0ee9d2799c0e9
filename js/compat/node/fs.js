// node:fs: reading and writing whole files.

import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { systemError, unsupported } from "node:internal/errors";

function fail(error, syscall, path) {
  const result = systemError(error, syscall);
  if (result !== error) {
    result.message = `${result.code}: ${
      MESSAGES[result.code] ?? "operation failed"
    }, ${syscall} '${path}'`;
    result.path = String(path);
  }
  return result;
}

const MESSAGES = {
  __proto__: null,
  EACCES: "permission denied",
  EEXIST: "file already exists",
  EISDIR: "illegal operation on a directory",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
};

function encodingOf(options) {
  return typeof options === "string" ? options : options?.encoding;
}

function decode(bytes, options) {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const encoding = encodingOf(options);
  return encoding ? buffer.toString(encoding) : buffer;
}

function encode(data, options) {
  return typeof data === "string"
    ? Buffer.from(data, encodingOf(options))
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function stats(info) {
  return {
    size: info.size,
    mode: info.mode,
    mtime: info.mtime,
    mtimeMs: info.mtime?.getTime(),
    isFile: () => info.isFile,
    isDirectory: () => info.isDirectory,
    isSymbolicLink: () => info.isSymlink,
  };
}

/** The same work at once, later with a callback, and as a promise. */
const operations = {
  readFile: [
    "open",
    (path, options) => decode(Deno.readFileSync(path), options),
    async (path, options) => decode(await Deno.readFile(path), options),
  ],
  writeFile: [
    "open",
    (path, data, options) =>
      Deno.writeFileSync(path, encode(data, options), {
        append: options?.flag === "a",
        mode: options?.mode,
      }),
    (path, data, options) =>
      Deno.writeFile(path, encode(data, options), {
        append: options?.flag === "a",
        mode: options?.mode,
      }),
  ],
  appendFile: [
    "open",
    (path, data, options) =>
      Deno.writeFileSync(path, encode(data, options), { append: true }),
    (path, data, options) =>
      Deno.writeFile(path, encode(data, options), { append: true }),
  ],
  unlink: [
    "unlink",
    (path) => Deno.removeSync(path),
    (path) => Deno.remove(path),
  ],
  rm: [
    "rm",
    (path, options) => remove(options, () => Deno.removeSync(path, options)),
    async (path, options) => {
      try {
        await Deno.remove(path, options);
      } catch (error) {
        remove(options, () => {
          throw error;
        });
      }
    },
  ],
  mkdir: [
    "mkdir",
    (path, options) => Deno.mkdirSync(path, options),
    (path, options) => Deno.mkdir(path, options),
  ],
  readdir: [
    "scandir",
    (path) => Array.from(Deno.readDirSync(path), (it) => it.name),
    async (path) => {
      const names = [];
      for await (const { name } of Deno.readDir(path)) {
        names.push(name);
      }
      return names;
    },
  ],
  stat: [
    "stat",
    (path) => stats(Deno.statSync(path)),
    async (path) => stats(await Deno.stat(path)),
  ],
  rename: [
    "rename",
    (from, to) => Deno.renameSync(from, to),
    (from, to) => Deno.rename(from, to),
  ],
  access: [
    "access",
    (path) => void Deno.statSync(path),
    async (path) => void await Deno.stat(path),
  ],
  realpath: [
    "realpath",
    (path) => Deno.realPathSync(path),
    (path) => Deno.realPath(path),
  ],
};

function remove(options, run) {
  try {
    run();
  } catch (error) {
    if (!(options?.force && error instanceof Deno.errors.NotFound)) {
      throw error;
    }
  }
}

const promises = {};
const fs = { promises };
for (const [name, [syscall, now, later]] of Object.entries(operations)) {
  fs[`${name}Sync`] = (...args) => {
    try {
      return now(...args);
    } catch (error) {
      throw fail(error, syscall, args[0]);
    }
  };
  promises[name] = async (...args) => {
    try {
      return await later(...args);
    } catch (error) {
      throw fail(error, syscall, args[0]);
    }
  };
  fs[name] = (...args) => {
    const callback = args.pop();
    promises[name](...args).then(
      (value) => queueMicrotask(() => callback(null, value)),
      (error) => queueMicrotask(() => callback(error)),
    );
  };
}

fs.existsSync = (path) => {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
};

fs.createReadStream = (path, options) => {
  const encoding = encodingOf(options);
  let file;
  return new Readable({
    encoding,
    async read(size) {
      try {
        file ??= await Deno.open(path, { read: true });
        const buffer = new Uint8Array(size);
        const count = await file.read(buffer);
        this.push(count === null ? null : Buffer.from(buffer.buffer, 0, count));
      } catch (error) {
        this.destroy(fail(error, "open", path));
      }
    },
    destroy(error, callback) {
      file?.close();
      callback(error);
    },
  });
};

for (
  const name of ["createWriteStream", "open", "openSync", "watch", "watchFile"]
) {
  fs[name] = unsupported(`fs.${name}()`);
}

fs.constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };

const {
  access,
  accessSync,
  appendFile,
  appendFileSync,
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdir,
  mkdirSync,
  open,
  openSync,
  readdir,
  readdirSync,
  readFile,
  readFileSync,
  realpath,
  realpathSync,
  rename,
  renameSync,
  rm,
  rmSync,
  stat,
  statSync,
  unlink,
  unlinkSync,
  watch,
  watchFile,
  writeFile,
  writeFileSync,
} = fs;

export default fs;
export {
  access,
  accessSync,
  appendFile,
  appendFileSync,
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdir,
  mkdirSync,
  open,
  openSync,
  promises,
  readdir,
  readdirSync,
  readFile,
  readFileSync,
  realpath,
  realpathSync,
  rename,
  renameSync,
  rm,
  rmSync,
  stat,
  statSync,
  unlink,
  unlinkSync,
  watch,
  watchFile,
  writeFile,
  writeFileSync,
};
