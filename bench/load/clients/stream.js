// A client with WebSocketStream, for duplex and Deno: `stream.js URL CONNECTIONS`.
const [url, connections] = Deno.args;

for (let index = 0; index < Number(connections); index++) {
  const { readable, writable } = await new WebSocketStream(url).opened;
  readable.pipeTo(writable).catch(() => {});
}
