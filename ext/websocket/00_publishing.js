// Checks the arguments of publishing: the name of a topic and a message.
// Converts the position of a message.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
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

/** Converts the first of `length` arguments, the name of a topic. */
function convertTopic(length, topic, prefix) {
  webidl.requiredArguments(length, 1, prefix);
  return webidl.converters.USVString(topic, prefix, "Argument 1");
}

/**
 * Converts the second of `length` arguments, the message: a string or a
 * BufferSource.
 */
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

/** Converts the text of a position to the object that scripts get. */
function positionOf(text) {
  const { 0: epoch, 1: offset } = StringPrototypeSplit(text, "-");
  return { epoch, offset: Number(offset) };
}

export { convertPublished, convertTopic, positionOf };
