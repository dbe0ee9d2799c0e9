// A program that breaks the prototypes breaks itself, not the runtime.

const { log } = console;
// The timers are in modules of Node.js, which are loaded when they are first
// used. These modules cannot be loaded after the prototypes are broken, so this
// call loads them before.
setTimeout(() => {}, 1);
const broken = () => {
  throw new Error("called what the program patched");
};
Array.prototype.push = broken;
Array.prototype.map = broken;
Array.prototype.forEach = broken;
Map.prototype.get = broken;
Map.prototype.set = broken;
Function.prototype.call = broken;
Function.prototype.apply = broken;
Function.prototype.bind = broken;
Promise.prototype.then = broken;
String.prototype.split = broken;
Object.defineProperty = broken;
Reflect.apply = broken;
globalThis.dispatchEvent = broken;
EventTarget.prototype.dispatchEvent = broken;

const channel = new MessageChannel();
channel.port1.close();
new URL("http://h/").searchParams;
new Headers();
new Request("http://h/");
new Response("text");
new AbortController().abort();
navigator.userAgent;
crypto.randomUUID();
performance.now();
Deno.cwd();
Deno.permissions.querySync({ name: "env" });
setTimeout(() => {}, 1);
log("still here");
