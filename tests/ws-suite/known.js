// The tests of `ws` that do not pass here, and why.

export const KNOWN = {
  __proto__: null,
};
