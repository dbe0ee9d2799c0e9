// A script without content. 00_fast_ops.js loads this script, because deno_core
// attaches V8's fast calls to `core.ops` when it loads any script. The script
// is a classic script and not a module, because loading a module would run
// microtasks in the middle of the program.

(function () {})();
