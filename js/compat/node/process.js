// node:process

import EventEmitter from "node:events";
import { unsupported } from "node:internal/errors";
import { Writable } from "node:stream";

/** The version of Node.js whose behaviour is meant. */
const VERSION = "22.12.0";

const start = performance.now();

class Process extends EventEmitter {
  title = "duplex";
  version = `v${VERSION}`;
  versions = { node: VERSION, modules: "127", ...Deno.version };
  release = { name: "node" };
  execArgv = [];
  arch = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  platform = Deno.build.os === "windows" ? "win32" : Deno.build.os;
  pid = Deno.pid;

  /** The program's path and its arguments, after the path of duplex. */
  get argv() {
    return ["duplex", mainPath(), ...Deno.args];
  }

  get argv0() {
    return "duplex";
  }

  get execPath() {
    return Deno.execPath();
  }

  get ppid() {
    return Deno.ppid;
  }

  /** Reading or writing a variable takes the permission for it. */
  env = new Proxy({}, {
    get: (_, name) => typeof name === "string" ? Deno.env.get(name) : undefined,
    set: (_, name, value) => {
      Deno.env.set(name, String(value));
      return true;
    },
    has: (_, name) => Deno.env.get(name) !== undefined,
    deleteProperty: (_, name) => {
      Deno.env.delete(name);
      return true;
    },
    ownKeys: () => Object.keys(Deno.env.toObject()),
    getOwnPropertyDescriptor: (_, name) => {
      const value = Deno.env.get(name);
      return value === undefined
        ? undefined
        : { value, writable: true, enumerable: true, configurable: true };
    },
  });

  get exitCode() {
    return Deno.exitCode === 0 ? undefined : Deno.exitCode;
  }

  set exitCode(code) {
    Deno.exitCode = code ?? 0;
  }

  exit(code) {
    if (code !== undefined) {
      Deno.exitCode = code;
    }
    emitExit();
    Deno.exit(Deno.exitCode);
  }

  cwd() {
    return Deno.cwd();
  }

  chdir(path) {
    Deno.chdir(path);
  }

  nextTick(callback, ...args) {
    queueMicrotask(() => callback(...args));
  }

  uptime() {
    return (performance.now() - start) / 1000;
  }

  memoryUsage() {
    return { arrayBuffers: 0, ...Deno.memoryUsage() };
  }

  cpuUsage() {
    return Deno.cpuUsage();
  }

  hrtime = hrtime;

  emitWarning(warning) {
    console.warn(
      typeof warning === "string" ? `Warning: ${warning}` : `${warning}`,
    );
  }

  on(name, listener) {
    listenTo(name);
    return super.on(name, listener);
  }

  addListener(name, listener) {
    return this.on(name, listener);
  }

  once(name, listener) {
    listenTo(name);
    return super.once(name, listener);
  }

  get stdout() {
    return output(Deno.stdout, "_stdout", 1);
  }

  get stderr() {
    return output(Deno.stderr, "_stderr", 2);
  }

  get stdin() {
    return unsupported("process.stdin")();
  }

  kill = unsupported("process.kill()");
  binding = unsupported("process.binding()");
}

function hrtime(previous) {
  const now = performance.now();
  let seconds = Math.floor(now / 1000);
  let nanoseconds = Math.floor((now % 1000) * 1e6);
  if (previous !== undefined) {
    seconds -= previous[0];
    nanoseconds -= previous[1];
    if (nanoseconds < 0) {
      seconds--;
      nanoseconds += 1e9;
    }
  }
  return [seconds, nanoseconds];
}
hrtime.bigint = () => BigInt(Math.round(performance.now() * 1e6));

function mainPath() {
  return Deno.mainModule.startsWith("file:")
    ? decodeURIComponent(new URL(Deno.mainModule).pathname)
    : Deno.mainModule;
}

const outputs = {};

function output(target, name, fd) {
  return outputs[name] ??= Object.assign(
    new Writable({
      decodeStrings: true,
      write(chunk, _encoding, callback) {
        let offset = 0;
        while (offset < chunk.length) {
          offset += target.writeSync(chunk.subarray(offset));
        }
        callback();
      },
    }),
    { fd, isTTY: target.isTerminal() },
  );
}

// Events that come from elsewhere are asked for when somebody listens.
const listening = new Set();

function listenTo(name) {
  if (listening.has(name)) {
    return;
  }
  listening.add(name);
  if (/^SIG[A-Z]/.test(String(name))) {
    Deno.addSignalListener(name, () => process.emit(name, name));
  } else if (name === "exit") {
    globalThis.addEventListener("unload", emitExit);
  } else if (name === "beforeExit") {
    globalThis.addEventListener("beforeunload", () => {
      process.emit("beforeExit", Deno.exitCode);
    });
  } else if (name === "uncaughtException") {
    globalThis.addEventListener("error", (event) => {
      if (process.emit(name, event.error, name)) {
        event.preventDefault();
      }
    });
  } else if (name === "unhandledRejection") {
    globalThis.addEventListener("unhandledrejection", (event) => {
      if (process.emit(name, event.reason, event.promise)) {
        event.preventDefault();
      }
    });
  }
}

let hasExited = false;

function emitExit() {
  if (!hasExited) {
    hasExited = true;
    process.emit("exit", Deno.exitCode);
  }
}

const process = new Process();
const { argv, env, pid, platform, version, versions } = process;
const nextTick = process.nextTick;
const cwd = process.cwd;
const exit = process.exit;

export default process;
export {
  argv,
  cwd,
  env,
  exit,
  hrtime,
  nextTick,
  pid,
  platform,
  process,
  version,
  versions,
};
