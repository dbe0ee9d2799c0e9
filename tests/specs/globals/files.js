// flags: --allow-read --allow-write --allow-env=TMPDIR
// The part of the file system that servers of pages need.
import { assert, assertEquals, assertRejects } from "../_assert.js";

const folder = Deno.env.get("TMPDIR") ?? "/tmp";
const path = `${folder}/duplex-${crypto.randomUUID()}.txt`;
await Deno.writeTextFile(path, "one\n");
await Deno.writeTextFile(path, "two\n", { append: true });
assertEquals(await Deno.readTextFile(path), "one\ntwo\n");
assertEquals((await Deno.readFile(path)).length, 8);
const info = await Deno.stat(path);
assertEquals([info.isFile, info.isDirectory, info.size], [true, false, 8]);
assert(info.mtime instanceof Date);
assertEquals((await Deno.stat(folder)).isDirectory, true);

const file = await Deno.open(path, { read: true });
assertEquals(await new Response(file.readable).text(), "one\ntwo\n");
const again = await Deno.open(new URL(`file://${path}`));
const buffer = new Uint8Array(3);
assertEquals(await again.read(buffer), 3);
assertEquals(new TextDecoder().decode(buffer), "one");
again.close();

const missing = await assertRejects(
  Deno.open(`${path}.none`),
  "NotFound",
  "No such file or directory (os error 2)",
);
assert(missing instanceof Deno.errors.NotFound);
await assertRejects(Deno.readTextFile(`${path}.none`), "NotFound");
await Deno.writeTextFile(path, "");
console.log("ok");
