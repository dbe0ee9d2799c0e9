exports.greet = (name) => `welcome to ${name}`;
// A cycle: what there is so far.
exports.early = typeof require("./_chat.cjs").server;
