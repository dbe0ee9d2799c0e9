export { default } from "./_link.txt" with { type: "text" };
