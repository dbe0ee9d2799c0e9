// What the scripts of this folder share. Taken first: what a script replaces is to lie to
// the runtime, not to itself.

const { log } = console;
const { keys } = Object;
const { close } = globalThis;
const { String } = globalThis;

/** The folder that the test made: a secret and a folder to work in. */
export const root = Deno.args[0];
/** Where nobody may connect to: the test fails where somebody does. */
export const trap = Deno.args[1];

let failures = 0;

/** Says that something was had which must not be had. */
export function escaped(what, value) {
  failures += 1;
  log("ESCAPED:", what, typeof value === "object" ? keys(value ?? {}) : value);
}

/**
 * Calls `body`, which is to be refused by an error that names the flag, or by another one
 * where `others` says that this will do.
 */
export async function refused(what, body, { others = false } = {}) {
  let value;
  try {
    value = await body();
  } catch (error) {
    if (others || error.message.includes("--allow-")) {
      return;
    }
    failures += 1;
    log("REFUSED OTHERWISE:", what, String(error));
    return;
  }
  escaped(what, value);
}

/** Ends the script, in the main program and in a worker. */
export function done() {
  log(failures === 0 ? "ok" : `${failures} failures`);
  close();
}

/** Whether a value is internal to the runtime: it leads to ops. */
export function isInternal(value) {
  return typeof value === "object" && value !== null &&
    ("ops" in value || "core" in value || "primordials" in value);
}
