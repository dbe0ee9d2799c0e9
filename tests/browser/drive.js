// Steers Chromium through one scene, over the DevTools protocol.
//
//   duplex run --allow-net drive.js DEVTOOLS-URL SCENE PAGE-URL

const [devtools, scene, page] = Deno.args;

const scenes = {
  async chat(browser) {
    const ada = await browser.tab(`${page}?name=Ada`);
    await ada.until("#status", "you are Ada");
    const bob = await browser.tab(`${page}?name=Bob`);
    await bob.until("#status", "you are Bob");
    await ada.until("#log", "Bob came in");

    await ada.say("hello from Ada");
    await bob.until("#log", "Adahello from Ada");
    await bob.say("<b>hello</b> from Bob, 世界 💬");
    await ada.until("#log", "Bob<b>hello</b> from Bob, 世界 💬");
    await ada.until("#log", "Adahello from Ada");

    await bob.close();
    await ada.until("#log", "Bob left");
  },

  async feed(browser) {
    const [ada, bob] = [await browser.tab(page), await browser.tab(page)];
    await ada.until("#log", "welcome");
    await bob.until("#log", "welcome");
    await bob.say("1");
    await ada.until("#log", "welcome1");
    await ada.press("#switch");
    await ada.until("#status", "disconnected");
    for (let count = 2; count <= 5; count++) {
      await bob.say(`${count}`);
      await bob.until(
        "#log",
        "welcome12345".slice(0, "welcome".length + count),
      );
    }
    await ada.press("#switch");
    await ada.until("#log", "welcome12345");
    await bob.say("6");
    await ada.until("#log", "welcome123456");
  },

  async ping(browser) {
    const tab = await browser.tab(page);
    await tab.until("#log", "connected");
    await tab.until("#log", "sent ping");
    await tab.until("#log", "received pong");
  },

  async http2(browser) {
    const tab = await browser.tab(page);
    await tab.until("title", "HTTP/2");
    await tab.echo(page.replace("http", "ws"), "");
  },

  async compression(browser) {
    const tab = await browser.tab(page);
    await tab.until("title", "compression");
    for (
      const [path, extensions] of [
        ["takeover", "permessage-deflate"],
        [
          "alone",
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ],
      ]
    ) {
      await tab.echo(page.replace("http", "ws") + path, extensions);
    }
  },
};

class Browser {
  #socket;
  #calls = new Map();
  #lastId = 0;

  static async connect(url) {
    const browser = new Browser();
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = (event) => reject(new Error(event.message));
    });
    socket.onmessage = ({ data }) => browser.#receive(JSON.parse(data));
    browser.#socket = socket;
    return browser;
  }

  /** Calls a method of the DevTools protocol. */
  call(method, params = {}, sessionId = undefined) {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
    });
  }

  /** Opens a page in a tab of its own. */
  async tab(url) {
    const { targetId } = await this.call("Target.createTarget", { url });
    const { sessionId } = await this.call("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    return new Tab(this, targetId, sessionId);
  }

  close() {
    this.#socket.close();
  }

  #receive({ id, result, error }) {
    const call = this.#calls.get(id);
    if (call === undefined) return; // an event
    this.#calls.delete(id);
    if (error) call.reject(new Error(error.message));
    else call.resolve(result);
  }
}

class Tab {
  #browser;
  #targetId;
  #sessionId;

  constructor(browser, targetId, sessionId) {
    this.#browser = browser;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
  }

  /** Resolves when the element's text has `text` in it. */
  until(selector, text) {
    return this.#evaluate(
      (selector, text) =>
        new Promise((resolve) => {
          const check = () => {
            const element = document.querySelector(selector);
            if (!element?.textContent.includes(text)) return;
            observer.disconnect();
            resolve();
          };
          const observer = new MutationObserver(check);
          observer.observe(document, {
            childList: true,
            subtree: true,
            characterData: true,
          });
          check();
        }),
      selector,
      text,
    );
  }

  /** Presses a button. */
  press(selector) {
    return this.#evaluate(
      (selector) => document.querySelector(selector).click(),
      selector,
    );
  }

  /** Sends messages to a server that echoes, and checks what comes back. */
  echo(url, extensions) {
    return this.#evaluate(
      async (url, extensions) => {
        const socket = new WebSocket(url);
        socket.binaryType = "arraybuffer";
        const next = (type) =>
          new Promise((resolve, reject) => {
            socket.addEventListener(type, resolve, { once: true });
            socket.onclose = ({ code }) => reject(new Error(`closed ${code}`));
          });
        await next("open");
        if (socket.extensions !== extensions) {
          throw new Error(`extensions: ${socket.extensions}`);
        }
        const text = "grüße, 世界 💬 ".repeat(50_000);
        const bytes = new Uint8Array(1_000_000).map((_, i) => i * 31);
        for (const message of ["", "short", text, bytes, text, bytes]) {
          const answer = next("message");
          socket.send(message);
          const { data } = await answer;
          const isEqual = typeof message === "string"
            ? data === message
            : new Uint8Array(data).every((byte, i) => byte === message[i]);
          if (!isEqual) throw new Error("another message came back");
        }
        socket.onclose = null;
        socket.close();
      },
      url,
      extensions,
    );
  }

  /** Types a message and presses Enter. */
  async say(text) {
    await this.#evaluate(() => document.querySelector("#text").focus());
    await this.#call("Input.insertText", { text });
    for (const type of ["keyDown", "keyUp"]) {
      const key = { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13 };
      await this.#call("Input.dispatchKeyEvent", { type, text: "\r", ...key });
    }
  }

  close() {
    const targetId = this.#targetId;
    return this.#browser.call("Target.closeTarget", { targetId });
  }

  #call(method, params) {
    return this.#browser.call(method, params, this.#sessionId);
  }

  /** Runs a function in the page, again if the page was not there yet. */
  async #evaluate(body, ...args) {
    const expression = `(${body})(...${JSON.stringify(args)})`;
    for (;;) {
      try {
        const { exceptionDetails } = await this.#call("Runtime.evaluate", {
          expression,
          awaitPromise: true,
        });
        if (exceptionDetails === undefined) return;
        throw new Error(exceptionDetails.exception.description);
      } catch (error) {
        // The tab's first, empty document gave way to the page.
        if (!/navigated|context was destroyed|collected/.test(error.message)) {
          throw error;
        }
      }
    }
  }
}

const browser = await Browser.connect(devtools);
await scenes[scene](browser);
browser.close();
console.log("ok");
