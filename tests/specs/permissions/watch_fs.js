// flags: --allow-read --allow-write --allow-env=TMPDIR
// Files are watched with the permission to read them. Who may make links may read all, so
// that links are trusted, as when files are read.
import { assertEquals } from "../_assert.js";

const folder = await Deno.makeTempDir();
await Deno.mkdir(`${folder}/below`);
await Deno.symlink(`${folder}/below`, `${folder}/inside`);
await Deno.symlink("/etc", `${folder}/outside`);

const paths = [
  folder,
  `${folder}/inside`,
  "/etc",
  `${folder}/outside`,
  `${folder}/below/../../..`,
  [folder, "/etc"],
];
const code = `
  const outcomes = ${JSON.stringify(paths)}.map((path) => {
    try {
      Deno.watchFs(path).close();
      return "watched";
    } catch (error) {
      return error.name;
    }
  });
  try {
    Deno.watchFs(${JSON.stringify(folder)}, { ignore: "/etc" });
  } catch (error) {
    outcomes.push(error.name);
  }
  postMessage(outcomes);
`;
const worker = new Worker(URL.createObjectURL(new Blob([code])), {
  type: "module",
  deno: { permissions: { read: [folder] } },
});
const { promise, resolve, reject } = Promise.withResolvers();
worker.onmessage = ({ data }) => resolve(data);
worker.onerror = (event) => reject(event.message);
assertEquals(await promise, [
  "watched",
  "watched",
  "NotCapable",
  "watched",
  ...Array(3).fill("NotCapable"),
]);
worker.terminate();
await Deno.remove(folder, { recursive: true });
console.log("ok");
