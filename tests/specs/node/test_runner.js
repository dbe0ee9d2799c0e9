// exit: 1
// deno: node:test runs by `deno test` only
// Tests of node:test run by themselves, and the program fails if one of them does.
import assert from "node:assert";
import test, { after, before, beforeEach, describe, it } from "node:test";

const seen = [];
test("passes", () => {});
test("fails", async () => {
  await Promise.resolve();
  assert.equal(1, 2);
});
test("is #1 of those left out", { skip: true }, () => seen.push("skipped"));
describe("a suite", () => {
  before(() => seen.push("before"));
  beforeEach(() => seen.push("each"));
  after(() => seen.push("after"));
  it("is run", () => seen.push("one"));
  it("is run too", () => seen.push("two"));
});
await test("has subtests", async (t) => {
  await t.test("one", () => {});
  await t.test("other", () => {
    throw new Error("deliberate");
  });
});
await new Promise((resolve) => setTimeout(resolve, 1));
test("comes late", () => console.log(seen.join()));
