// exit: 1
// engine: v8
// stderr: [*]hint: duplex has no `Bun`.[*]
// deno: it has no hint
Bun.serve({ fetch: () => new Response() });
