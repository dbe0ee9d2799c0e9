// `server.metrics()`: the numbers of the program.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const { op_http_metrics } = core.ops;
const { ObjectDefineProperty } = primordials;

/**
 * The numbers of all servers and clients of the program, in all of its event loops.
 *
 * @returns {object} `Metrics` of the declarations
 */
function metrics() {
  const result = {
    connections: {},
    opened: {},
    closed: {},
    messagesReceived: {},
    bytesReceived: {},
    messagesSent: {},
    bytesSent: {},
    sendQueueBytes: 0,
    backpressure: {},
    limitsExceeded: {},
    connectionsRefused: 0,
    handshakesRefused: {},
    dialsFailed: {},
    topics: 0,
    subscriptions: 0,
    published: 0,
    delivered: 0,
    brokerLost: 0,
  };
  const numbers = op_http_metrics();
  for (let i = 0; i < numbers.length; i++) {
    const { 0: group, 1: name, 2: value } = numbers[i];
    ObjectDefineProperty(group === "" ? result : result[group], name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return result;
}

export { metrics };
