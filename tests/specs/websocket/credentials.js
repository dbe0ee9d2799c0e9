// flags: --allow-net
// deno: `url` is without them
// Credentials in the URL become an Authorization header.
import { assertEquals, once } from "../_assert.js";
import { header, rawServer, switching, write } from "../_raw.js";

async function authorization(credentials, options) {
  const { url, done } = rawServer(async (conn, reader, head) => {
    await write(conn, await switching(head));
    await reader.close();
    return head;
  });
  const full = url.replace("//", `//${credentials}@`);
  const socket = new WebSocket(full, options);
  // The attribute is the whole URL, as it was parsed.
  assertEquals(socket.url, new URL(full).href);
  await once(socket, "open");
  socket.close();
  const head = await done;
  assertEquals(head.split("\r\n")[0], "GET / HTTP/1.1");
  assertEquals(header(head, "host"), new URL(url).host);
  const value = header(head, "authorization");
  const bytes = Uint8Array.from(
    atob(value.replace("Basic ", "")),
    (character) => character.charCodeAt(0),
  );
  return new TextDecoder("utf-8", { fatal: false }).decode(bytes);
}

assertEquals(await authorization("user:secret"), "user:secret");
assertEquals(await authorization("user"), "user:");
assertEquals(await authorization(":secret"), ":secret");
assertEquals(await authorization("a%40b:%C3%A4%3a"), "a@b:ä:");
assertEquals(await authorization("ä:ö"), "ä:ö");
// Percent signs that encode nothing stand for themselves.
assertEquals(await authorization("a%:%4"), "a%:%4");
assertEquals(await authorization("%zz:%4z"), "%zz:%4z");
assertEquals(await authorization("%ff:x"), "\ufffd:x");
// A header of the script's own comes first.
const headers = { authorization: `Basic ${btoa("own:one")}` };
assertEquals(await authorization("user:secret", { headers }), "own:one");
console.log("ok");
