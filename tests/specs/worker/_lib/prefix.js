export const prefix = "<";
