// engine: quickjs
// exit: 1
// stderr: error: Top-level await promise never resolved
// stderr:     at file:///[*]/errors/never_resolved_quickjs.js
// QuickJS does not tell where in the module it waits.
await new Promise(() => {});
