// flags: --allow-net
// stdout: 500 Internal Server Error
// stdout: 500 Internal Server Error
// stdout: 200 fine
// stderr: Error: thrown[*]TypeError: [*]
// Without onError the error is printed and the answer is 500.
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    switch (new URL(request.url).pathname) {
      case "/throw":
        throw new Error("thrown");
      case "/none":
        return "no response";
      default:
        return new Response("fine");
    }
  },
);
for (const path of ["throw", "none", ""]) {
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/${path}`);
  console.log(response.status, await response.text());
}
await server.shutdown();
