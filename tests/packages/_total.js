// A program of Total.js writes into the folder it stands in: it is given one.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

export const require = createRequire(import.meta.url);

const folder = mkdtempSync(join(tmpdir(), "duplex-total-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.chdir(folder);
writeFileSync(join(folder, "config"), "allow_reportcrash: false\n");
