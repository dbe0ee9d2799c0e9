// What deno_core has kept for classic scripts, from before deno_runtime removed the ops.

(function () {
  return __bootstrap;
})();
