// What deno_runtime loads under the name of Deno's own file: `Deno.serveHttp`.

(function () {
  const { core } = __bootstrap;
  const { serveHttp } = core.createLazyLoader(
    "ext:duplex_http/05_serve_http.js",
  )();

  return { serveHttp };
})();
