// Runs before Deno's tests. It gives each test a minute, because `deno test` itself waits for ever,
// and chooses tests by name: APART has names, one on a line, and those tests run one at a time, each
// in a process whose ALONE is its name. A test that fails may leave a server behind, which would make
// others fail.

const MINUTE = 60_000;

const apart = new Set(Deno.env.get("APART").split("\n"));
const alone = Deno.env.get("ALONE");

function isChosen(name) {
  return alone === "" ? !apart.has(name) : name === alone;
}

function limited(test) {
  return async function (context) {
    let timer;
    const tooLate = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("it did not end")), MINUTE);
    });
    try {
      await Promise.race([test.call(this, context), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  };
}

const { test } = Deno;

// The forms are (test), (name, test), (options), (options, test) and (name, options, test).
Deno.test = Object.assign((...args) => {
  const last = args.at(-1);
  const body = typeof last === "function" ? last : last.fn;
  const [first] = args;
  const name = typeof first === "string" ? first : first.name ?? body.name;
  const options = args.find((it) => typeof it === "object");
  if (isChosen(name)) {
    // Deno has switched some off because they fail there.
    test({ ...options, ignore: false, name, fn: limited(body) });
  }
}, test);
