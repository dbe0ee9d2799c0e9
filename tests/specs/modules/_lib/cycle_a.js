import { b } from "./cycle_b.js";
export function a() {
  return "a";
}
export const both = () => a() + b();
