// Nothing that is internal can be imported, by any way to name it.
import { done, isInternal, refused } from "./_attempt.js";

const names = [
  "ext:core/mod.js",
  "ext:core/ops",
  "ext:duplex_runtime/90_main.js",
  "ext:duplex_http/00_serve.js",
  "ext:deno_node/internal/errors.ts",
  "ext:evil/x.js",
  "EXT:core/mod.js",
  " ext:core/mod.js",
  "ext:/core/mod.js",
  "ext:core/../core/mod.js",
  "checkin:core",
  "node:internal/errors",
  "node:internal/commonjs",
  "node:internal/ws",
  "node:deno_std/ws",
  "node:deno_std/async",
];
const importOf = (name) => async () => {
  const module = await import(name);
  if (isInternal(module)) throw "core";
  return Object.keys(module);
};
const code = (name) =>
  `export default Object.keys(await import(${JSON.stringify(name)}));`;
const statically = (name) =>
  `import * as all from ${
    JSON.stringify(name)
  }; export default Object.keys(all);`;
const data = (text) => `data:text/javascript,${encodeURIComponent(text)}`;
const blob = (text) =>
  URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
const any = { others: true };

// The core forgets an import whose module rejects at once, where nothing else goes on.
setInterval(() => {}, 1000);
for (const name of names) {
  await refused(`import ${name}`, importOf(name), any);
  for (const type of ["json", "text", "bytes"]) {
    await refused(
      `import ${name} as ${type}`,
      () => import(name, { with: { type } }),
      any,
    );
  }
  for (const text of [code(name), statically(name)]) {
    await refused(`data: ${name}`, () => import(data(text)), any);
    await refused(`blob: ${name}`, () => import(blob(text)), any);
  }
  await refused(
    `eval ${name}`,
    () => (0, eval)(`import(${JSON.stringify(name)})`),
    any,
  );
  await refused(
    `Function ${name}`,
    () => new Function(`return import(${JSON.stringify(name)})`)(),
    any,
  );
  await refused(`Worker ${name}`, () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(name, { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        worker.terminate();
        reject(event.message);
      };
    }), any);
  await refused(
    `Worker that imports ${name}`,
    () =>
      new Promise((resolve, reject) => {
        const text = `const all = await import(${
          JSON.stringify(name)
        }); postMessage(Object.keys(all));`;
        const worker = new Worker(data(text), { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          worker.terminate();
          reject(event.message);
        };
      }),
    any,
  );
}
await refused(
  "import.meta.resolve",
  () => import(import.meta.resolve("ext:core/mod.js")),
  any,
);
done();
