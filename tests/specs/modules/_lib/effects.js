globalThis.effects = (globalThis.effects ?? 0) + 1;
export const { effects } = globalThis;
await Promise.resolve();
