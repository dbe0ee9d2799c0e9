// engine: v8
// The module node:vm, whose contexts come from the snapshot.
import vm from "node:vm";
import { assertEquals } from "../_assert.js";

const context = vm.createContext({ a: 1 });
assertEquals(vm.runInContext("b = a + 1; typeof Deno", context), "undefined");
assertEquals(context.b, 2);
console.log("ok");
