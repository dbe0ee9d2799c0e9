// client: puppeteer-core
// ci: yes
// peer: chromium
import process from "node:process";
import puppeteer from "puppeteer-core";
import { equal, inbox, serve, text } from "./_kit.js";

const server = await serve((socket) => {
  socket.onmessage = ({ data }) => socket.send(data);
});
const browser = await puppeteer.launch({
  executablePath: process.env.DUPLEX_TEST_CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const page = await browser.newPage();
await page.setContent(`<title>${text}</title>`);
equal(await page.title(), text);
const long = text.repeat(60_000);
equal(await page.evaluate((text) => text + text, long), long + long);
const told = inbox();
await page.exposeFunction("tell", told.push);
await page.evaluate((url) => {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(document.title);
  socket.onmessage = ({ data }) => {
    globalThis.tell(data);
    socket.close();
  };
}, `ws://127.0.0.1:${server.port}`);
equal(await told.next(), text);
const image = await page.screenshot();
equal(String.fromCharCode(...image.subarray(1, 4)), "PNG");
await browser.close();
await server.close();
console.log("ok");
