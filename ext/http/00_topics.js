// The topics of a server: publishing, and sharing topics with other servers.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";
import {
  convertPublished,
  convertTopic,
  positionOf,
} from "ext:duplex_websocket/00_publishing.js";
import { sendUncompressed } from "ext:duplex_websocket/00_sending.js";

// The ops are not imported from "ext:core/ops", because the functions that a
// snapshot holds have lost V8's fast calls.
const {
  op_http_broker_event,
  op_http_broker_flush,
  op_http_broker_status,
  op_http_publish_binary,
  op_http_publish_recorded_binary,
  op_http_publish_recorded_text,
  op_http_publish_text,
  op_http_share_topics,
  op_http_subscriber_count,
} = core.ops;
const {
  Date,
  FunctionPrototypeCall,
  NumberIsInteger,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototype,
  PromisePrototypeThen,
  TypeError,
} = primordials;

const { reportException } = core.loadExtScript("ext:deno_web/02_event.js");

// The most messages of a topic that can be kept.
const MAX_HISTORY_SIZE = 1_000_000;

// The default prefix of the subjects and channels at a broker.
const DEFAULT_PREFIX = "duplex";

const MEMBERS = membersOf([
  "broker",
  "down",
  "gap",
  "history",
  "name",
  "prefix",
  "up",
]);
const HISTORY_MEMBERS = membersOf(["size", "ttl"]);

/**
 * Checks the option `topics` of a server.
 *
 * @param {{ topics?: object }} options
 * @returns {{ name: string | null, broker: string | null, prefix: string }} and
 *   the functions to call on events of the broker
 */
function convertTopics({ topics }) {
  const converted = {
    __proto__: null,
    owner: topics,
    name: null,
    broker: null,
    prefix: DEFAULT_PREFIX,
    down: undefined,
    up: undefined,
    gap: undefined,
    // 0 means no history.
    historySize: 0,
    historyTtl: 0,
  };
  if (topics === undefined || topics === null) {
    return converted;
  }
  checkTopics(topics);
  const { name, broker, prefix, down, up, gap, history } = topics;
  converted.name = text(name, "name") ?? null;
  converted.broker = text(broker, "broker") ?? null;
  converted.prefix = text(prefix, "prefix") ?? converted.name ??
    DEFAULT_PREFIX;
  converted.down = callback(down, "down");
  converted.up = callback(up, "up");
  converted.gap = callback(gap, "gap");
  if (history !== undefined && history !== null) {
    convertHistory(converted, history);
  }
  return converted;
}

/** Throws if the option is not an object, or has members that do not exist. */
function checkTopics(topics) {
  if (typeof topics !== "object") {
    throw new TypeError("Invalid type for topics: must be an object");
  }
  checkMembers(topics, MEMBERS, "Invalid topics");
}

function convertHistory(converted, history) {
  if (typeof history !== "object") {
    throw new TypeError("Invalid type for topics.history: must be an object");
  }
  checkMembers(history, HISTORY_MEMBERS, "Invalid topics.history");
  const { size, ttl } = history;
  if (!NumberIsInteger(size) || size < 1 || size > MAX_HISTORY_SIZE) {
    throw new TypeError(
      `Invalid topics.history.size: must be an integer from 1 to ${MAX_HISTORY_SIZE}`,
    );
  }
  if (typeof ttl !== "number" || !(ttl > 0)) {
    throw new TypeError(
      "Invalid topics.history.ttl: must be a number of seconds above 0",
    );
  }
  converted.historySize = size;
  converted.historyTtl = ttl;
}

function text(value, name) {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== "string" || value === "") {
    throw new TypeError(
      `Invalid topics.${name}: must be a string that is not empty`,
    );
  }
  return value;
}

function callback(value, name) {
  if (value !== undefined && value !== null && typeof value !== "function") {
    throw new TypeError(`Invalid topics.${name}: must be a function`);
  }
  return value ?? undefined;
}

/**
 * Shares the topics of a server that has just been started, as its options say.
 */
function shareTopics(rid, topics) {
  op_http_share_topics(
    rid,
    topics.name,
    topics.broker,
    topics.prefix,
    topics.historySize,
    topics.historyTtl,
  );
  const { broker, down, up, gap } = topics;
  if (
    broker !== null &&
    (down !== undefined || up !== undefined || gap !== undefined)
  ) {
    tellEvents(rid, topics);
  }
}

/**
 * Calls the functions of `topics` with the events of the broker while the
 * server exists.
 */
async function tellEvents(rid, topics) {
  let last = 0;
  while (true) {
    const next = op_http_broker_event(rid, last);
    core.unrefOpPromise(next);
    const event = await next;
    if (event === null) {
      return;
    }
    const { 0: number, 1: kind, 2: reason, 3: since } = event;
    last = number;
    call(topics, kind, kind === "gap" ? new Date(since) : reason ?? undefined);
  }
}

function call(topics, kind, argument) {
  const callback = topics[kind];
  if (callback === undefined) {
    return;
  }
  try {
    const result = FunctionPrototypeCall(callback, topics.owner, argument);
    if (ObjectPrototypeIsPrototypeOf(PromisePrototype, result)) {
      PromisePrototypeThen(result, undefined, reportException);
    }
  } catch (error) {
    reportException(error);
  }
}

/**
 * The state of the connection to the broker, or null if the server has none.
 */
function broker({ rid }) {
  const status = op_http_broker_status(rid);
  if (status === null || status === undefined) {
    return null;
  }
  const { state, since, lost, error } = status;
  return { state, since: new Date(since), lost, error: error ?? null };
}

/**
 * Resolves when the broker has taken all messages that were published so far.
 */
function flush({ rid }) {
  return op_http_broker_flush(rid);
}

/**
 * Sends a message to all WebSockets of the server that are subscribed to
 * `topic`. Returns the length of the message in bytes, at least 1, if it was
 * taken; -1 if the kernel of some subscriber takes no more for now; 0 if no
 * subscriber took it.
 */
function publish(server, length, topic, data, options) {
  const prefix = "Failed to execute 'publish' on 'HttpServer'";
  topic = convertTopic(length, topic, prefix);
  data = convertPublished(length, data, prefix);
  // In Bun this argument is a boolean that says whether to compress.
  const isObject = typeof options === "object" && options !== null;
  const isLocal = isObject && !!options.local;
  const compress = isObject ? options.compress : options;
  if (compress === false) {
    return sendUncompressed(() =>
      publishConverted(server, topic, data, isLocal)
    );
  }
  return publishConverted(server, topic, data, isLocal);
}

function publishConverted(server, topic, data, isLocal) {
  return typeof data === "string"
    ? op_http_publish_text(server.rid, topic, data, isLocal)
    : op_http_publish_binary(server.rid, topic, data, isLocal);
}

/**
 * Sends a message to all subscribers, and keeps it. Resolves with its position.
 */
async function publishRecorded(server, length, topic, data) {
  const prefix = "Failed to execute 'publishRecorded' on 'HttpServer'";
  topic = convertTopic(length, topic, prefix);
  data = convertPublished(length, data, prefix);
  const position = typeof data === "string"
    ? await op_http_publish_recorded_text(server.rid, topic, data)
    : await op_http_publish_recorded_binary(server.rid, topic, data);
  if (position === null || position === undefined) {
    throw new TypeError(
      `${prefix}: it needs a server that runs, with the option topics.history`,
    );
  }
  return positionOf(position);
}

function subscriberCount(server, length, topic) {
  const prefix = "Failed to execute 'subscriberCount' on 'HttpServer'";
  topic = convertTopic(length, topic, prefix);
  return op_http_subscriber_count(server.rid, topic);
}

export {
  broker,
  checkTopics,
  convertTopics,
  flush,
  publish,
  publishRecorded,
  shareTopics,
  subscriberCount,
};
