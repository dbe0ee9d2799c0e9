// flags: --allow-write={root}
// To write is not to read: what a script writes for itself to import is no part of the
// program.
import { done, refused, root } from "./_attempt.js";

const attempts = [];
const write = (name, text) => {
  try {
    Deno.writeTextFileSync(`${root}/work/${name}`, text);
  } catch {
    // A worker may not even write.
  }
};
const secret = JSON.stringify(`file://${root}/secret.txt`);
write("text.js", `export { default } from ${secret} with { type: "text" };`);
write(
  "later.js",
  `export default (await import(${secret}, { with: { type: "text" } })).default;`,
);
write(
  "json.js",
  `export { default } from "file://${root}/secret.json" with { type: "json" };`,
);
for (const name of ["text.js", "later.js", "json.js"]) {
  attempts.push([name, () => import(`file://${root}/work/${name}`)]);
}
// One that the program names in its text, and has changed since; and one that it names,
// and that was not there.
for (const name of ["_named.js", "_not_there.js"]) {
  try {
    Deno.writeTextFileSync(
      new URL(name, import.meta.url),
      `export { default } from ${secret} with { type: "text" };`,
    );
  } catch {
    // A worker may not even write.
    continue;
  }
  attempts.push([
    name,
    () =>
      name === "_named.js" ? import("./_named.js") : import("./_not_there.js"),
  ]);
}
// One that was not changed is part of the program.
if ((await import("./_unchanged.js")).default !== "as it was") {
  throw new Error("A literal import() needs no permission");
}
for (const [name, attempt] of attempts) {
  await refused(name, attempt);
}
done();
