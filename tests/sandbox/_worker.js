// Runs the script that its third argument names in a worker without permissions.
const worker = new Worker(new URL(Deno.args[2], import.meta.url).href, {
  type: "module",
  deno: { permissions: "none" },
});
worker.onerror = (event) => {
  event.preventDefault();
  console.log("the worker failed:", event.message);
  Deno.exit(1);
};
