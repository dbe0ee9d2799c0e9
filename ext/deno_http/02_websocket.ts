// What deno_runtime loads under the name of Deno's own file: `Deno.upgradeWebSocket`.

(function () {
  const { core, internals } = __bootstrap;
  const { upgradeWebSocket } = core.createLazyLoader(
    "ext:duplex_http/01_upgrade.js",
  )();

  // deno_runtime reads it from this file once. Rust reads the headers here.
  internals.buildCaseInsensitiveCommaValueFinder = undefined;

  return { upgradeWebSocket };
})();
