// What Node.js's modules do, they do with the permissions of Deno.
import { done, escaped, isInternal, refused, root, trap } from "./_attempt.js";
import { createRequire } from "node:module";
import Module from "node:module";
import child_process from "node:child_process";
import dgram from "node:dgram";
import dns from "node:dns";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import process from "node:process";
import tls from "node:tls";
import v8 from "node:v8";
import vm from "node:vm";
import { Worker as NodeWorker } from "node:worker_threads";

// What is refused later than the call, and has nobody to tell.
globalThis.addEventListener("error", (event) => event.preventDefault());
globalThis.addEventListener(
  "unhandledrejection",
  (event) => event.preventDefault(),
);
process.on("uncaughtException", () => {});

const require = createRequire(import.meta.url);
const secret = `${root}/secret.txt`;
const written = `${root}/work/written.txt`;
const any = { others: true };
const [host, port] = trap.split(":");

/** What an emitter says first: a value where it got through. */
function told(emitter, good) {
  return new Promise((resolve, reject) => {
    for (const name of good) {
      emitter.on(name, (value) => resolve(value ?? name));
    }
    emitter.on("error", reject);
    emitter.on("close", () => reject(new Error("closed")));
    // Some say nothing of a refusal.
    setTimeout(() => reject(new Error("nothing came")), 300);
  });
}

// Files.
const reads = {
  readFileSync: () => fs.readFileSync(secret, "utf8"),
  readFile: () => fs.promises.readFile(secret, "utf8"),
  open: () => fs.promises.open(secret),
  openSync: () => fs.openSync(secret, "r"),
  statSync: () => fs.statSync(secret),
  readdirSync: () => fs.readdirSync(root),
  createReadStream: () => told(fs.createReadStream(secret), ["data"]),
  copyFileSync: () => fs.copyFileSync(secret, written),
  readlinkSync: () => fs.readlinkSync(`${root}/work/link.txt`),
  realpathSync: () => fs.realpathSync(`${root}/work/link.txt`),
  "a changing path": () => {
    let looks = 0;
    return fs.readFileSync({
      toString: () => looks++ === 0 ? "/none" : secret,
    });
  },
};
for (const name in reads) await refused(name, reads[name], any);
const writes = {
  writeFileSync: () => fs.writeFileSync(written, "text"),
  mkdirSync: () => fs.mkdirSync(`${root}/work/made`),
  rmSync: () => fs.rmSync(secret),
  symlinkSync: () => fs.symlinkSync(secret, written),
  renameSync: () => fs.renameSync(secret, written),
  createWriteStream: () => told(fs.createWriteStream(written), ["open"]),
};
for (const name in writes) await refused(name, writes[name], any);
await refused("existsSync", () => {
  if (fs.existsSync(secret)) return true;
  throw new Error("no");
}, any);

// Modules.
for (const path of ["secret.txt", "secret.json", "work/link.json"]) {
  await refused(`require ${path}`, () => require(`${root}/${path}`), any);
}
await refused("require.resolve", () => require.resolve(secret), any);
// What follows gives text a name of the runtime's own.
for (const evil of ["ext:evil/x.js", "node:internal/evil", "checkin:evil"]) {
  const text = `import("ext:core/mod.js")`;
  const tries = {
    "Module._compile": () => {
      const module = new Module(evil);
      module._compile(`module.exports = ${text}`, evil);
      return module.exports;
    },
    "vm.runInThisContext": () => vm.runInThisContext(text, { filename: evil }),
    "vm.Script": () =>
      new vm.Script(text, { filename: evil }).runInThisContext(),
    "vm.compileFunction": () =>
      vm.compileFunction(`return ${text}`, [], { filename: evil })(),
    "vm.runInNewContext": () =>
      vm.runInNewContext(text, {}, { filename: evil }),
    "Module.wrap": () => vm.runInThisContext(Module.wrap(text), evil),
    require: () => require(evil),
    "Module._load": () => Module._load(evil),
    "process.getBuiltinModule": () =>
      process.getBuiltinModule(evil) ?? Promise.reject(new Error()),
  };
  for (const name in tries) {
    try {
      const module = await tries[name]();
      if (isInternal(module)) escaped(name, evil);
    } catch {
      // Refused.
    }
  }
}
for (
  const name of [
    "internal/errors",
    "internal/bootstrap/realm",
    "internal/util",
    "_http_agent",
  ]
) {
  try {
    const module = require(`node:${name}`);
    if (isInternal(module)) escaped(name, module);
  } catch {
    // Refused.
  }
}

// Processes, native code.
await refused(
  "spawn",
  () => told(child_process.spawn("/bin/true"), ["spawn"]),
  any,
);
await refused("spawnSync", () => {
  const { error, status } = child_process.spawnSync("/bin/true");
  if (error !== undefined) throw error;
  return status;
}, any);
await refused("execSync", () => child_process.execSync("true"), any);
await refused(
  "fork",
  () => told(child_process.fork(`${root}/scripts/_named.js`), ["spawn"]),
  any,
);
await refused("process.kill", () => process.kill(1, 0), any);
await refused(
  "process.dlopen",
  () => process.dlopen({ exports: {} }, `${root}/x.node`),
  any,
);
await refused("a native add-on", () => require(`${root}/x.node`), any);
await refused("process.binding", () => {
  const binding = process.binding("natives");
  if (isInternal(binding)) return binding;
  throw new Error("nothing");
}, any);

// Environment and system.
await refused("process.env", () => {
  const value = process.env.SECRET_TOKEN;
  if (value !== undefined) return value;
  throw new Error("nothing");
}, any);
await refused("Object.keys(process.env)", () => {
  const keys = Object.keys(process.env);
  if (keys.includes("SECRET_TOKEN")) return keys;
  throw new Error("nothing");
}, any);
await refused("os.userInfo", () => os.userInfo(), any);
await refused("os.networkInterfaces", () => os.networkInterfaces(), any);
await refused("os.hostname", () => os.hostname(), any);
await refused("process.chdir", () => process.chdir(root), any);
await refused("process.setuid", () => process.setuid(1), any);
await refused("v8.writeHeapSnapshot", () => v8.writeHeapSnapshot(written), any);

// Network.
const options = { host, port: Number(port) };
await refused(
  "net.connect",
  () => told(net.connect(options), ["connect"]),
  any,
);
await refused("net lookup", () =>
  told(
    net.connect({
      host: "localhost",
      port: options.port,
      lookup: (_name, _options, callback) => callback(null, host, 4),
    }),
    ["connect"],
  ), any);
await refused(
  "tls.connect",
  () => told(tls.connect(options), ["connect", "secureConnect"]),
  any,
);
await refused(
  "http.get",
  () => told(http.get(`http://${trap}/`), ["response"]),
  any,
);
await refused("http.get by an agent", () => {
  const agent = new http.Agent();
  agent.createConnection = () => net.connect(options);
  return told(http.get({ agent, host: "localhost" }), ["response"]);
}, any);
await refused(
  "listen",
  () => told(net.createServer().listen(0), ["listening"]),
  any,
);
await refused(
  "http listen",
  () => told(http.createServer().listen(0), ["listening"]),
  any,
);
await refused(
  "a unix socket",
  () => told(net.connect(`${root}/work/none.sock`), ["connect"]),
  any,
);
await refused("dgram", () => {
  const socket = dgram.createSocket("udp4");
  return told(socket.bind(0), ["listening"]);
}, any);
await refused("dns.lookup", () => dns.promises.lookup("hunter2.invalid"), any);
await refused(
  "dns.resolve",
  () => dns.promises.resolve4("hunter2.invalid"),
  any,
);

// Workers have what their owner has.
await refused("worker_threads", () =>
  new Promise((resolve, reject) => {
    const worker = new NodeWorker(
      `const { parentPort } = require("node:worker_threads");
       let value;
       try { value = require("node:fs").readFileSync(${
        JSON.stringify(secret)
      }, "utf8"); } catch {}
       parentPort.postMessage(value ?? null);`,
      { eval: true },
    );
    worker.on("message", (value) =>
      value === null ? reject(new Error("no")) : resolve(value));
    worker.on("error", reject);
    worker.on("exit", () =>
      reject(new Error("ended")));
  }), any);
done();
