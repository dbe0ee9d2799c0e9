// Input and output of `duplex connect`. On a terminal the user has a line that
// can be edited. Otherwise input is read line by line.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import process from "node:process";
import { Buffer } from "node:buffer";

const HISTORY_SIZE = 500;

/**
 * Characters that would change the terminal or hide text: control characters,
 * and characters that set the direction of text.
 */
const DANGEROUS = /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

const asEscape = (character) => {
  const code = character.codePointAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
};

/** The text with escapes for the characters that a terminal would obey. */
const harmless = (text) => text.replace(DANGEROUS, asEscape);

/** Formats bytes, 16 on a line: the offset, hexadecimal digits, and ASCII. */
function hexDump(bytes) {
  const lines = [];
  for (let start = 0; start < bytes.length; start += 16) {
    const part = [...bytes.subarray(start, start + 16)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(
      " ",
    );
    const ascii = part.map((byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."
    ).join("");
    lines.push(
      `  ${start.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${ascii}`,
    );
  }
  return lines.join("\n");
}

/** How many bytes of a binary message are shown on a terminal. */
const SHOWN = 256;

class Terminal {
  isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  #options;
  #lines = null;
  #onInterrupt = () => {};
  #isColoured = this.isInteractive && !Deno.noColor;

  constructor(options) {
    this.#options = options;
    // The reader of the output has closed the pipe.
    process.stdout.on("error", () => Deno.exit(0));
  }

  #colour(code, text) {
    return this.#isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  /** Writes whole lines above the line that is being typed. */
  #above(text, stream) {
    if (this.#lines === null || !this.isInteractive) {
      stream.write(`${text}\n`);
      return;
    }
    process.stdout.write(`\r\x1b[J${text}\n`);
    this.#lines.prompt(true);
  }

  /** Prints a line of the program's output. */
  print(line) {
    this.#above(line, process.stdout);
  }

  /**
   * Prints information that is not a message. `peer` is the number of a client
   * of the server.
   */
  note(text, peer) {
    if (!this.#options.quiet) this.say(text, peer);
  }

  /** An error, or an answer to what was typed: `--quiet` does not leave it out. */
  say(text, peer) {
    const from = peer === undefined ? "" : `[${peer}] `;
    this.#above(this.#colour("90", from + harmless(text)), process.stderr);
  }

  /** Prints a received message, which is a string or a Uint8Array. */
  message(data, peer) {
    const from = peer === undefined ? "" : `[${peer}] `;
    if (!this.isInteractive) {
      if (typeof data === "string") this.print(from + data);
      else if (process.stdout.isTTY) this.print(from + hexDump(data));
      else process.stdout.write(data);
      return;
    }
    if (typeof data === "string") {
      return this.print(this.#colour("36", `< ${from}`) + harmless(data));
    }
    const more = data.length > SHOWN ? `\n  … ${data.length - SHOWN} more` : "";
    const head = this.#colour("36", `< ${from}`) + `${data.length} bytes`;
    this.print(`${head}\n${hexDump(data.subarray(0, SHOWN))}${more}`);
  }

  onInterrupt(callback) {
    this.#onInterrupt = callback;
  }

  /** Calls `onLine` with each line that is typed, and `onEnd` when there are no more. */
  readLines(onLine, onEnd) {
    if (this.#lines !== null) return;
    this.#lines = createInterface({
      input: process.stdin,
      output: this.isInteractive ? process.stdout : undefined,
      terminal: this.isInteractive,
      prompt: "> ",
      history: readHistory(),
      historySize: HISTORY_SIZE,
      removeHistoryDuplicates: true,
      crlfDelay: Infinity,
    });
    this.#lines.on("line", (line) => {
      if (line !== "" || !this.isInteractive) onLine(line);
      if (this.isInteractive) this.#lines?.prompt();
    });
    this.#lines.on("SIGINT", () => this.#onInterrupt());
    this.#lines.on("history", (history) => this.#history = history);
    this.#lines.on("close", () => {
      const isEnd = this.#lines !== null;
      this.#lines = null;
      if (isEnd) onEnd();
    });
    if (this.isInteractive) this.#lines.prompt();
  }

  #history = null;

  /** Calls `onBytes` with all of standard input. */
  async readAll(onBytes) {
    const parts = [];
    for await (const part of process.stdin) parts.push(part);
    onBytes(Buffer.concat(parts));
  }

  pause() {
    this.#lines?.pause();
  }

  resume() {
    this.#lines?.resume();
  }

  /** Restores the terminal, and saves the history. */
  close() {
    const lines = this.#lines;
    this.#lines = null;
    if (this.isInteractive && lines !== null) process.stdout.write("\r\x1b[J");
    lines?.close();
    if (this.#history !== null) writeHistory(this.#history);
  }
}

/** Opens the terminal of `duplex connect`. */
export const openTerminal = (options) => new Terminal(options);

function historyFile() {
  const home = Deno.env.get("HOME");
  const state = Deno.env.get("XDG_STATE_HOME") ||
    (home && `${home}/.local/state`);
  return state
    ? { folder: `${state}/duplex`, file: `${state}/duplex/connect_history` }
    : null;
}

/** Reads the history. The newest line is first. */
function readHistory() {
  try {
    const lines = readFileSync(historyFile().file, "utf8").split("\n").filter(
      Boolean,
    );
    return lines.reverse().slice(0, HISTORY_SIZE);
  } catch {
    return [];
  }
}

/**
 * Saves the history. As in a shell, lines that begin with a space are not kept.
 */
function writeHistory(history) {
  const where = historyFile();
  if (where === null) return;
  const lines = history.filter((line) => !line.startsWith(" ")).toReversed();
  try {
    mkdirSync(where.folder, { recursive: true, mode: 0o700 });
    writeFileSync(where.file, lines.map((line) => `${line}\n`).join(""), {
      mode: 0o600,
    });
  } catch {
    // The program does not fail if the history cannot be saved.
  }
}
