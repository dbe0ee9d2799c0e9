// deno-lint-ignore-file no-var no-unused-vars
/* global fromFirst, fromSecond */
var declared = 1;
importScripts("classic_first.js", "./classic_second.js");
const errors = [];
for (
  const bad of [
    () => importScripts("no_such_file.js"),
    () => importScripts("http://["),
    () => importScripts("data:text/javascript,throw new RangeError('inside')"),
    () => importScripts("data:text/javascript,let let"),
  ]
) {
  try {
    bad();
  } catch (error) {
    errors.push(error.name);
  }
}
onmessage = (event) => {
  import("./prefix.js").then(({ prefix }) => postMessage(prefix + event.data));
};
self.postMessage({
  global: this === self && self.declared === 1,
  sloppy: (function () {
    return this === self;
  })(),
  imported: [fromFirst, fromSecond],
  errors,
});
