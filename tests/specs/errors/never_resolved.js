// engine: v8
// exit: 1
// stderr: error: Top-level await promise never resolved
// stderr: await new Promise(() => {});
// stderr: ^
// stderr: [*]never_resolved.js:[*]
await new Promise(() => {});
