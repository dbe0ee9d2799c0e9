// node:os

const EOL = "\n";
const platform = () => Deno.build.os === "windows" ? "win32" : Deno.build.os;
const type = () => Deno.build.os === "linux" ? "Linux" : "Darwin";
const arch = () => Deno.build.arch === "x86_64" ? "x64" : "arm64";
const hostname = () => Deno.hostname();
const release = () => Deno.osRelease();
const uptime = () => Deno.osUptime();
const loadavg = () => Deno.loadavg();
const tmpdir = () => Deno.env.get("TMPDIR") ?? "/tmp";
const homedir = () => Deno.env.get("HOME") ?? "/";
const totalmem = () => Deno.systemMemoryInfo().total;
const freemem = () => Deno.systemMemoryInfo().free;
const cpus = () =>
  Array.from(
    { length: navigator.hardwareConcurrency },
    () => ({ model: "", speed: 0, times: {} }),
  );
const availableParallelism = () => navigator.hardwareConcurrency;

function networkInterfaces() {
  const result = {};
  for (const it of Deno.networkInterfaces()) {
    (result[it.name] ??= []).push({
      address: it.address,
      netmask: it.netmask,
      family: it.family,
      mac: it.mac,
      internal: it.address === "::1" || it.address.startsWith("127."),
      cidr: it.cidr,
    });
  }
  return result;
}

export default {
  arch,
  availableParallelism,
  cpus,
  EOL,
  freemem,
  homedir,
  hostname,
  loadavg,
  networkInterfaces,
  platform,
  release,
  tmpdir,
  totalmem,
  type,
  uptime,
};
export {
  arch,
  availableParallelism,
  cpus,
  EOL,
  freemem,
  homedir,
  hostname,
  loadavg,
  networkInterfaces,
  platform,
  release,
  tmpdir,
  totalmem,
  type,
  uptime,
};
