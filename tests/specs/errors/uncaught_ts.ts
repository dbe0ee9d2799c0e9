// flags: --allow-read
// exit: 1
import { fail } from "../modules/_lib/throws.ts";

interface Gone {
  a: string;
}
function middle(options: Gone): void {
  fail(options.a);
}

middle({ a: "from here" });
