// client: playwright-core
// peer: chromium
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { chromium } from "playwright-core";
import { equal, text } from "./_kit.js";

// By a pipe if it starts the browser itself, by a WebSocket if it connects to one.
const profile = mkdtempSync(join(tmpdir(), "duplex-playwright-"));
const child = spawn(process.env.DUPLEX_TEST_CHROMIUM, [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--remote-debugging-port=0",
  `--user-data-dir=${profile}`,
], { stdio: ["ignore", "ignore", "pipe"] });
child.stderr.setEncoding("utf8");
let said = "";
const url = await new Promise((resolve) => {
  child.stderr.on("data", (part) => {
    said += part;
    const found = said.match(/ws:\S+(?=\n)/);
    if (found) resolve(found[0]);
  });
});
const browser = await chromium.connectOverCDP(url);
const page = await browser.newPage();
await page.setContent(`<title>${text}</title>`);
equal(await page.title(), text);
const long = text.repeat(60_000);
equal(await page.evaluate((text) => text + text, long), long + long);
const image = await page.screenshot();
equal(String.fromCharCode(...image.subarray(1, 4)), "PNG");
// Of all of its processes: each has the pipe.
const closed = once(child, "close");
const session = await browser.newBrowserCDPSession();
await session.send("Browser.close");
await closed;
rmSync(profile, { recursive: true, force: true });
console.log("ok");
