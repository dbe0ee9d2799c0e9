// What is published: the name of a topic, its messages, and the position of one.

import { core, primordials } from "ext:core/mod.js";
import { convertData } from "ext:duplex_websocket/00_sending.js";

const {
  Number,
  ObjectPrototypeIsPrototypeOf,
  StringPrototypeSplit,
  StringPrototypeToWellFormed,
  TypeError,
} = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { BlobPrototype } = core.loadExtScript("ext:deno_web/09_file.js");

/** Checks the first of `length` arguments, the name of a topic. */
function convertTopic(length, topic, prefix) {
  webidl.requiredArguments(length, 1, prefix);
  return webidl.converters.USVString(topic, prefix, "Argument 1");
}

/** Checks the second, what is published: a string or a BufferSource. */
function convertPublished(length, data, prefix) {
  webidl.requiredArguments(length, 2, prefix);
  if (typeof data === "string") {
    return StringPrototypeToWellFormed(data);
  }
  if (ObjectPrototypeIsPrototypeOf(BlobPrototype, data)) {
    throw new TypeError(
      `${prefix}: a Blob cannot be published, read it first: await blob.arrayBuffer()`,
    );
  }
  return convertData(data, prefix, "Argument 2");
}

/** A position as scripts have it, of how it is written. */
function positionOf(text) {
  const { 0: epoch, 1: offset } = StringPrototypeSplit(text, "-");
  return { epoch, offset: Number(offset) };
}

export { convertPublished, convertTopic, positionOf };
