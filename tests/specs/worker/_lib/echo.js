import { suffix } from "./suffix.js";

// Messages that come while the module waits are dispatched, as in browsers; so
// the handler comes first.
onmessage = async (event) => {
  const { prefix } = await import("./prefix.js");
  postMessage(`${prefix}${event.data}${suffix}`);
};
await Promise.resolve();
postMessage({
  href: location.href,
  url: import.meta.url,
  main: import.meta.main,
  name,
  strict: (function () {
    return this === undefined;
  })(),
});
