// `alert`, `confirm` and `prompt` on a terminal. Without a terminal they return
// the same as if the user had dismissed the dialog.

(function () {
  const { core, primordials } = __bootstrap;
  const { ArrayPrototypePush, Uint8Array } = primordials;
  const { stdin } = core.loadExtScript("ext:deno_io/12_io.js");

  const LINE_FEED = 0x0a;
  const CARRIAGE_RETURN = 0x0d;

  // Reads a line of stdin and returns it without its end, or null at the end of
  // input.
  function readLine() {
    const byte = new Uint8Array(1);
    const line = [];
    let read;
    while ((read = stdin.readSync(byte)) && byte[0] !== LINE_FEED) {
      ArrayPrototypePush(line, byte[0]);
    }
    if (!read && line.length === 0) {
      return null;
    }
    if (line[line.length - 1] === CARRIAGE_RETURN) {
      line.length--;
    }
    return core.decode(new Uint8Array(line));
  }

  function alert(message = "Alert") {
    if (!stdin.isTerminal()) {
      return;
    }
    core.print(`${message} [Enter] `, false);
    readLine();
  }

  function confirm(message = "Confirm") {
    if (!stdin.isTerminal()) {
      return false;
    }
    core.print(`${message} [y/N] `, false);
    const answer = readLine();
    return answer === "y" || answer === "Y";
  }

  function prompt(message = "Prompt", defaultValue = "") {
    if (!stdin.isTerminal()) {
      return null;
    }
    message = `${message}`;
    defaultValue = `${defaultValue ?? ""}`;
    const hint = defaultValue === "" ? "" : `[${defaultValue}] `;
    core.print(`${message}${message === "" ? "" : " "}${hint}`, false);
    const answer = readLine();
    return answer === "" ? defaultValue : answer;
  }

  return { alert, confirm, prompt };
})();
