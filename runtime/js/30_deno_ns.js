// The `Deno` namespace.

import { core, primordials } from "ext:core/mod.js";
import {
  op_console_size,
  op_runtime_args,
  op_runtime_cpu_usage,
  op_runtime_main_module,
  op_runtime_memory_usage,
  op_runtime_no_color,
  op_runtime_pid,
  op_runtime_ppid,
} from "ext:core/ops";
import { errors } from "ext:duplex_runtime/01_errors.js";
import { defineValue } from "ext:duplex_runtime/12_lazy.js";
import { defineTable, load } from "ext:duplex_runtime/20_globals.js";
const {
  Float64Array,
  ObjectDefineProperties,
  ObjectFreeze,
  Uint32Array,
} = primordials;

const OS = "ext:deno_os/30_os.js";

// Members by the script that defines them.
const MEMBERS = {
  __proto__: null,
  "ext:deno_fs/30_fs.js": [
    "FsFile",
    "chdir",
    "chmod",
    "chmodSync",
    "chown",
    "chownSync",
    "copyFile",
    "copyFileSync",
    "create",
    "createSync",
    "cwd",
    "link",
    "linkSync",
    "lstat",
    "lstatSync",
    "makeTempDir",
    "makeTempDirSync",
    "makeTempFile",
    "makeTempFileSync",
    "mkdir",
    "mkdirSync",
    "open",
    "openSync",
    "readDir",
    "readDirSync",
    "readFile",
    "readFileSync",
    "readLink",
    "readLinkSync",
    "readTextFile",
    "readTextFileSync",
    "realPath",
    "realPathSync",
    "remove",
    "removeSync",
    "rename",
    "renameSync",
    "stat",
    "statSync",
    "symlink",
    "symlinkSync",
    "truncate",
    "truncateSync",
    "umask",
    "utime",
    "utimeSync",
    "writeFile",
    "writeFileSync",
    "writeTextFile",
    "writeTextFileSync",
  ],
  "ext:deno_io/12_io.js": ["SeekMode", "stderr", "stdin", "stdout"],
  "ext:deno_net/01_net.js": ["connect", "listen", "resolveDns"],
  "ext:deno_net/02_tls.js": ["connectTls", "listenTls", "startTls"],
  "ext:deno_fetch/22_http_client.js": ["HttpClient"],
  [OS]: [
    "env",
    "execPath",
    "exit",
    "gid",
    "hostname",
    "loadavg",
    "networkInterfaces",
    "osRelease",
    "osUptime",
    "systemMemoryInfo",
    "uid",
  ],
  "ext:deno_process/40_process.js": [
    "ChildProcess",
    "Command",
    "kill",
    "spawn",
    "spawnAndWait",
    "spawnAndWaitSync",
  ],
  "ext:deno_os/40_signals.js": ["addSignalListener", "removeSignalListener"],
  "ext:deno_web/01_console.js": ["inspect"],
  "ext:deno_web/02_timers.js": ["refTimer", "unrefTimer"],
  "ext:duplex_runtime/10_permissions.js": [
    "PermissionStatus",
    "Permissions",
    "permissions",
  ],
  "ext:duplex_runtime/14_fs_events.js": ["watchFs"],
  "ext:duplex_websocket/00_http_client.js": ["createHttpClient"],
  "ext:duplex_http/01_upgrade.js": [
    "upgradeWebSocket",
    "upgradeWebSocketStream",
  ],
  "ext:duplex_http/02_websocket_handler.js": ["serve"],
  "ext:duplex_http/05_serve_http.js": ["serveHttp"],
};

const usage = new Float64Array(4);

function memoryUsage() {
  op_runtime_memory_usage(usage);
  const { 0: rss, 1: heapTotal, 2: heapUsed, 3: external } = usage;
  return { rss, heapTotal, heapUsed, external };
}

function cpuUsage() {
  op_runtime_cpu_usage(usage);
  const { 0: system, 1: user } = usage;
  return { system, user };
}

function consoleSize() {
  const size = new Uint32Array(2);
  op_console_size(size);
  return { columns: size[0], rows: size[1] };
}

function isatty(rid) {
  return core.isTerminal(rid);
}

function createDenoNamespace() {
  const Deno = {
    build: core.build,
    consoleSize,
    cpuUsage,
    errors,
    isatty,
    memoryUsage,
  };
  defineTable(Deno, MEMBERS, true);

  let args;
  let pid;
  ObjectDefineProperties(Deno, {
    args: core.propGetterOnly(() => args ??= op_runtime_args()),
    exitCode: {
      __proto__: null,
      get: () => load(OS).getExitCode(),
      set: (code) => load(OS).setExitCode(code),
      enumerable: true,
      configurable: true,
    },
    mainModule: core.propGetterOnly(() => op_runtime_main_module()),
    noColor: core.propGetterOnly(() => op_runtime_no_color()),
    pid: core.propGetterOnly(() => pid ??= op_runtime_pid()),
    ppid: core.propGetterOnly(() => op_runtime_ppid()),
  });
  return Deno;
}

function defineVersion(Deno, { deno, duplex, engine, typescript, v8 }) {
  const version = ObjectFreeze({
    deno,
    v8,
    typescript,
    duplex,
    engine,
  });
  defineValue(Deno, "version", version, true);
}

export { createDenoNamespace, defineVersion };
