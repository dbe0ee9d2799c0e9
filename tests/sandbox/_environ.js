export { default } from "file:///proc/self/environ" with { type: "text" };
