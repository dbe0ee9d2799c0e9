// Dials the URL of its first argument with the options of its second, which are
// those of the constructor as JSON with those of `createHttpClient()` under
// `client`, as many times as its third says. Prints what becomes of each.

const [url, json, times = "1"] = Deno.args;
const { client: clientOptions, ...options } = JSON.parse(json);
const client = clientOptions && Deno.createHttpClient(clientOptions);

for (let i = 0; i < Number(times); i++) {
  await new Promise((resolve) => {
    const socket = new WebSocket(url, { ...options, client });
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => {
      console.log(data);
      socket.close(1000);
    };
    socket.onerror = ({ message }) => console.log(message);
    socket.onclose = ({ code }) => {
      console.log(code);
      resolve();
    };
  });
}
