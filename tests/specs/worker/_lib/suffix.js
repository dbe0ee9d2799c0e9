export const suffix = ">";
