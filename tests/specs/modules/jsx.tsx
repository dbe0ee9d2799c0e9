// JSX by the classic transform, named by its pragmas.
/** @jsx h */
/** @jsxFrag Fragment */
import { assertEquals } from "../_assert.js";

type Props = Record<string, unknown> | null;
const Fragment = "fragment";
function h(tag: string, props: Props, ...children: unknown[]) {
  return { tag, props, children };
}
const name: string = "world";
assertEquals(
  <>
    <p id="x">hello {name}</p>
  </>,
  {
    tag: "fragment",
    props: null,
    children: [
      { tag: "p", props: { id: "x" }, children: ["hello ", "world"] },
    ],
  },
);
console.log("ok");
