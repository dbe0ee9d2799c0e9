exports.greet = (name) => `welcome to ${name}`;
// A cycle: what there is so far.
exports.early = Object.keys(require("./_chat.cjs")).length;
