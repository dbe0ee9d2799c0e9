// A script without content. 00_fast_ops.js loads it, because loading any script has deno_core
// attach V8's fast calls to `core.ops`. It is a classic script, because loading a module would
// run microtasks, in the middle of what the program does.

(function () {})();
