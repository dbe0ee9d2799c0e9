// flags: --allow-read --allow-net --allow-import
// deno: has no classic workers
// stderr: error: Uncaught (in worker "") NetworkError: Script "http://127.0.0.1:[*]/none" failed: 404 Not Found
// stderr: [*]
// stdout: ok
// Classic workers: scripts in one global scope, importScripts, from files, data:
// and http: URLs.
import { assert, assertEquals } from "../_assert.js";
import { failed, received } from "../_worker.js";

const worker = new Worker(new URL("./_lib/classic.js", import.meta.url));
worker.postMessage("x");
assertEquals(await received(worker), {
  global: true,
  sloppy: true,
  imported: ["undefinedclassic.js", 2],
  errors: ["NetworkError", "SyntaxError", "RangeError", "SyntaxError"],
});
assertEquals(await received(worker), "<x");
worker.terminate();

const inline = new Worker("data:,postMessage(typeof importScripts);close()");
assertEquals(await received(inline), "function");

// Over HTTP, with a redirect; what is no JavaScript is refused.
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const { pathname } = new URL(request.url);
    const javascript = { headers: { "content-type": "text/javascript" } };
    switch (pathname) {
      case "/moved":
        return Response.redirect(new URL("/main.js", request.url));
      case "/main.js":
        return new Response(
          "importScripts('/lib.js'); postMessage(lib(location.pathname));" +
            "try { importScripts('/plain'); } catch (error) {" +
            "  postMessage(error.name); }" +
            "importScripts('/none');",
          javascript,
        );
      case "/lib.js":
        return new Response(
          "var lib = (path) => 'lib of ' + path;",
          javascript,
        );
      case "/plain":
        return new Response("0", { headers: { "content-type": "text/plain" } });
      default:
        return new Response("", { status: 404 });
    }
  },
);
const remote = new Worker(`http://127.0.0.1:${server.addr.port}/moved`);
assertEquals(await received(remote), "lib of /moved");
assertEquals(await received(remote), "NetworkError");
const error = await failed(remote);
assert(error.message.includes("404"), error.message);
await server.shutdown();

const importing = new Worker(
  "data:text/javascript,try { importScripts('data:,') } catch (error) {" +
    "postMessage(String(error)) } close()",
  { type: "module" },
);
assertEquals(
  await received(importing),
  "TypeError: Module scripts don't support importScripts()",
);
console.log("ok");
