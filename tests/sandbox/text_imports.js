// deno: a literal import of /proc/version is read there
// An import shows a script no file that it may not read.
// A file of the program itself is named in its text: that is Deno's design.
import { done, refused, root } from "./_attempt.js";

const literal = [
  () => import("file:///proc/self/environ", { with: { type: "text" } }),
  () => import("file:///proc/self/environ", { with: { type: "bytes" } }),
  () => import("file:///proc/self/cmdline", { with: { type: "text" } }),
  () => import("file:///proc/self/maps", { with: { type: "text" } }),
  () => import("file:///proc/version", { with: { type: "text" } }),
  () => import("file:///proc/self/root/etc/passwd", { with: { type: "text" } }),
  () => import("file:///dev/stdin", { with: { type: "text" } }),
  () => import("file:///sys/kernel/hostname", { with: { type: "text" } }),
  () => import("./_link.txt", { with: { type: "text" } }),
  () => import("./_link.txt", { with: { type: "bytes" } }),
  () => import("./_environ.js"),
  () => import("./_linked.js"),
];
for (const attempt of literal) {
  await refused(attempt, attempt, { others: /dev|sys/.test(String(attempt)) });
}
const url = (path) => `file://${root}/${path}`;
for (const type of ["text", "bytes", "json", undefined]) {
  for (
    const path of [
      "secret.txt",
      "secret.json",
      "work/link.txt",
      "work/link.json",
    ]
  ) {
    const options = type === undefined ? undefined : { with: { type } };
    await refused(`${path} as ${type}`, () => import(url(path), options));
    const nested = `export { default } from ${JSON.stringify(url(path))}${
      type === undefined ? "" : ` with { type: "${type}" }`
    }`;
    await refused(
      `${path} as ${type} by data:`,
      () => import(`data:text/javascript,${encodeURIComponent(nested)}`),
    );
    const blob = URL.createObjectURL(
      new Blob([nested], { type: "text/javascript" }),
    );
    await refused(`${path} as ${type} by blob:`, () => import(blob));
  }
}
done();
