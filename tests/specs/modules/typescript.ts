// flags: --allow-read
// TypeScript that leaves traces at run time, and TypeScript that does not.
import Box, { type Answer, answer } from "./_lib/answer.ts";
import type { Answer as Again } from "./_lib/answer.ts";
import { assertEquals } from "../_assert.js";

enum Color {
  Red,
  Green = "green",
}
const enum Size {
  Small = 1,
}
// deno-lint-ignore no-namespace
namespace Shapes {
  export const sides = 4;
}
abstract class Animal {
  declare readonly kind: string;
  #secret = 1;
  protected constructor(public name: string, private legs?: number) {}
  abstract speak(): string;
  count(this: Animal): number {
    return this.#secret + (this.legs ?? 0);
  }
}
class Dog extends Animal {
  constructor() {
    super("dog", 4);
  }
  override speak(): string {
    return `${this.name}!`;
  }
}
function pick<T, K extends keyof T>(object: T, key: K): T[K] {
  return object[key];
}
const checked = { a: 1 } satisfies Record<string, number>;
const cast = <const T>(value: T) => value as unknown as Again;

assertEquals(answer.value, 42);
assertEquals(new Box<string>("inner").inner, "inner");
assertEquals([Color.Red, Color.Green, Color[0]], [0, "green", "Red"]);
assertEquals(Size.Small, 1);
assertEquals(Shapes.sides, 4);
const dog = new Dog();
assertEquals([dog.speak(), dog.count(), "kind" in dog], ["dog!", 5, false]);
assertEquals(pick(checked, "a"), 1);
assertEquals(cast({ value: 1 })!.value, 1);
const nothing: Answer | undefined = undefined;
assertEquals((nothing as Answer | undefined)?.value, undefined);
console.log("ok");
