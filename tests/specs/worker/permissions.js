// flags: --allow-read --allow-net=127.0.0.1 --allow-env=HOME,USER
// deno: asks for --unstable-worker-options
// A worker has the permissions of its owner, fewer, or none; never more.
import { assertEquals, assertThrows } from "../_assert.js";
import { inline, received } from "../_worker.js";

const text = `
  const state = async (descriptor) =>
    (await Deno.permissions.query(descriptor)).state;
  postMessage([
    await state({ name: "read" }),
    await state({ name: "read", path: ${
  JSON.stringify(new URL("_lib", import.meta.url).pathname)
} }),
    await state({ name: "net", host: "127.0.0.1:80" }),
    await state({ name: "env", variable: "HOME" }),
    await state({ name: "env", variable: "USER" }),
    await state({ name: "run" }),
  ].map((state) => state[0]).join(""));
  close();
`;
const states = (permissions) =>
  received(inline(text, { deno: { permissions } }));

assertEquals(await states(undefined), "ggggg" + "p");
assertEquals(await states("inherit"), "ggggg" + "p");
assertEquals(await states("none"), "pppppp");
assertEquals(await states({}), "pppppp");
assertEquals(await states({ read: true, env: ["HOME"] }), "ggpgpp");
assertEquals(
  await states({ read: [new URL("_lib", import.meta.url)], net: "inherit" }),
  "pgg" + "ppp",
);

const escalates = (permissions) =>
  assertThrows(
    () => inline("", { deno: { permissions } }),
    "NotCapable",
    "Can't escalate parent thread permissions",
  );
escalates({ run: true });
escalates({ net: ["example.org"] });
escalates({ env: true });
for (const permissions of ["some", { read: 3 }, { net: "all" }]) {
  assertThrows(() => inline("", { deno: { permissions } }), "TypeError");
}

// Without any, its own modules still load: they are part of it.
const none = new Worker(new URL("./_lib/echo.js", import.meta.url), {
  type: "module",
  deno: { permissions: "none" },
});
none.postMessage("x");
await received(none);
assertEquals(await received(none), "<x>");
none.terminate();

// A worker cannot give its own worker more than it has.
const nested = inline(
  `
  try {
    new Worker("data:,", { type: "module", deno: { permissions: { read: true } } });
  } catch (error) {
    postMessage(error.name);
  }
  close();
`,
  { deno: { permissions: "none" } },
);
assertEquals(await received(nested), "NotCapable");
console.log("ok");
