// A program loads this with its first socket. Loading any script has deno_core give
// `core.ops` its fast calls, which a snapshot cannot hold; only what is taken from there
// afterwards has them. It is a script since loading a module would run microtasks, in the
// middle of what the program does.

(function () {})();
