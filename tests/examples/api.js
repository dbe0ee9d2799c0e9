// Uses the API, and hears of what changes.
import { assertEquals, once } from "../specs/_assert.js";

const [url] = Deno.args;
const tasks = `${url}api/tasks`;

async function ask(method, address, value) {
  const response = await fetch(address, {
    method,
    body: value === undefined ? undefined : JSON.stringify(value),
    headers: { "x-forwarded-for": "203.0.113.9" },
  });
  return [response.status, await response.json()];
}

const socket = new WebSocket(`${url.replace("http", "ws")}api/changes`);
const messages = new ReadableStream({
  start(controller) {
    socket.onmessage = ({ data }) => controller.enqueue(JSON.parse(data));
  },
}).getReader();
const next = async () => (await messages.read()).value;

assertEquals(await next(), { tasks: [] });
const task = { id: 1, title: "Write", done: false };
assertEquals(await ask("POST", tasks, { title: "Write" }), [200, task]);
assertEquals(await next(), { change: "added", task });
const done = { ...task, done: true };
assertEquals(await ask("PATCH", `${tasks}/1`, { done: true }), [200, done]);
assertEquals(await next(), { change: "changed", task: done });
assertEquals(await ask("GET", tasks), [200, [done]]);
assertEquals((await ask("POST", tasks, { title: "" }))[0], 400);
assertEquals((await ask("POST", tasks, "text"))[0], 400);
assertEquals((await ask("DELETE", `${tasks}/7`))[0], 404);
const long = await fetch(tasks, { method: "POST", body: "x".repeat(70_000) });
assertEquals(long.status, 413);
await long.body.cancel();
assertEquals((await ask("DELETE", `${tasks}/1`))[0], 200);
assertEquals(await next(), { change: "removed", task: done });
assertEquals((await ask("GET", `${url}api/nothing`))[0], 404);

socket.send("add a task");
assertEquals((await once(socket, "close")).code, 4000);
console.log("ok");
Deno.exit();
