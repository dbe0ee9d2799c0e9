// flags: --allow-read --allow-write --allow-env=TMPDIR
// Changes of files are told, by Deno's interface and by Node.js's.
import { watch } from "node:fs";
import { assertEquals, assertThrows } from "../_assert.js";

const folder = await Deno.makeTempDir();
await Deno.mkdir(`${folder}/below`);

/** The first event that a change of `path` brings. */
async function told(watcher, path) {
  while (true) {
    const { value } = await watcher.next();
    if (value.paths.includes(path)) {
      return value;
    }
  }
}

const all = Deno.watchFs(folder);
const some = Deno.watchFs(folder, { recursive: false });
const few = Deno.watchFs([folder], { ignore: `${folder}/below` });
await Deno.writeTextFile(`${folder}/below/a`, "a");
await Deno.writeTextFile(`${folder}/b`, "b");
assertEquals((await all.next()).value, {
  kind: "create",
  paths: [`${folder}/below/a`],
  flag: null,
});
for (const watcher of [some, few]) {
  const { value } = await watcher.next();
  assertEquals(value.paths, [`${folder}/b`]);
}

// What was told last is that it is gone.
await Deno.remove(`${folder}/b`);
for await (const { kind, paths } of some) {
  if (kind === "remove") {
    assertEquals(paths, [`${folder}/b`]);
    break;
  }
}
// The loop has closed it.
assertEquals(await some.next(), { value: undefined, done: true });

// A link is watched by its name.
await Deno.symlink(`${folder}/below`, `${folder}/link`);
const link = Deno.watchFs(`${folder}/link`);
await Deno.writeTextFile(`${folder}/below/c`, "c");
await told(link, `${folder}/link/c`);
// The folder is watched by its own name, still.
link.close();
await Deno.writeTextFile(`${folder}/below/e`, "e");
await told(all, `${folder}/below/e`);

const waiting = few.next();
few.close();
// What had been told already may come first.
if (!(await waiting).done) {
  assertEquals((await few.next()).done, true);
}
all.close();

assertThrows(() => Deno.watchFs(`${folder}/none`), "NotFound");

const { promise, resolve } = Promise.withResolvers();
const node = watch(folder, (event, name) => name === "d" && resolve(event));
await Deno.writeTextFile(`${folder}/d`, "d");
assertEquals(await promise, "rename");
node.close();

// One that waits holds the program no more.
const idle = Deno.watchFs(folder);
idle.unref();
idle.next();
await Deno.remove(folder, { recursive: true });
console.log("ok");
