// The MessageEvent that a socket's listeners get. Nearly all listeners read
// only `data`, so the other members of the event are made when they are read.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
  _attributes,
  _canceledFlag,
  _dispatched,
  _inPassiveListener,
  _isTrusted,
  _path,
  _stopImmediatePropagationFlag,
  _stopPropagationFlag,
  attributesOf,
  pathOf,
} from "ext:duplex_websocket/00_event_internals.js";
import { _slots } from "ext:duplex_websocket/00_slots.js";

const {
  FunctionPrototypeCall,
  ObjectCreate,
  ObjectDefineProperty,
  ObjectFreeze,
  Symbol,
  SymbolToStringTag,
} = primordials;

const { dispatch, MessageEvent, reportException } = core.loadExtScript(
  "ext:deno_web/02_event.js",
);

const NO_PORTS = ObjectFreeze([]);

const _isCurrent = Symbol("[[isCurrent]]");
const _socket = Symbol("[[socket]]");

function SocketMessageEvent(socket, data) {
  this.data = data;
  this[_socket] = socket;
  // Whether a single listener is being called with the event.
  this[_isCurrent] = true;
}

/** A member that `make` makes when it is read for the first time. */
function lazy(symbol, make) {
  return computed(symbol, (event) => event[symbol] = make(event));
}

/** A member with the value of `get` until it is set. */
function computed(symbol, get) {
  return {
    __proto__: null,
    get() {
      return get(this);
    },
    set(value) {
      ObjectDefineProperty(this, symbol, {
        __proto__: null,
        value,
        writable: true,
        configurable: true,
      });
    },
    configurable: true,
  };
}

function member(value) {
  return { __proto__: null, value, writable: true, configurable: true };
}

function attribute(get) {
  return { __proto__: null, get, enumerable: true, configurable: true };
}

/** How many members were made that depend on `_isCurrent`. */
let looks = 0;

SocketMessageEvent.prototype = ObjectCreate(MessageEvent.prototype, {
  [_attributes]: lazy(_attributes, (event) => {
    looks++;
    const socket = event[_socket];
    return attributesOf("message", socket, event[_isCurrent] ? socket : null);
  }),
  [_path]: lazy(_path, (event) => {
    looks++;
    return event[_isCurrent] ? pathOf(event[_socket]) : [];
  }),
  [_canceledFlag]: member(false),
  [_dispatched]: computed(_dispatched, (event) => event[_isCurrent]),
  [_inPassiveListener]: member(false),
  [_isTrusted]: member(true),
  [_stopImmediatePropagationFlag]: member(false),
  [_stopPropagationFlag]: member(false),
  constructor: member(MessageEvent),
  origin: attribute(function () {
    return this[_socket][_slots].origin;
  }),
  lastEventId: attribute(() => ""),
  source: attribute(() => null),
  ports: attribute(() => NO_PORTS),
  [SymbolToStringTag]: {
    __proto__: null,
    value: "MessageEvent",
    configurable: true,
  },
});

/** Dispatches the event of a message by deno_web's `dispatch()`. */
function dispatchMessage(socket, data) {
  const event = new SocketMessageEvent(socket, data);
  event[_isCurrent] = false;
  dispatch(socket, event);
}

/**
 * Dispatches the event of a message if there is exactly one listener, the
 * function `callback`.
 */
function callWithMessage(socket, callback, data) {
  const event = new SocketMessageEvent(socket, data);
  const looksBefore = looks;
  try {
    FunctionPrototypeCall(callback, socket, event);
  } catch (error) {
    reportException(error);
  }
  event[_isCurrent] = false;
  if (event[_stopPropagationFlag]) {
    event[_stopPropagationFlag] = false;
    event[_stopImmediatePropagationFlag] = false;
  }
  if (looks !== looksBefore) {
    const attributes = event[_attributes];
    attributes.currentTarget = null;
    attributes.eventPhase = 0;
    event[_path] = [];
  }
}

export { callWithMessage, dispatchMessage };
