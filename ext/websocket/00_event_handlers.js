// The attributes `onmessage`, `onclose` and so on, and the lists of listeners
// of a socket. Most sockets have only handlers, and hold no lists.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
  eventTargetData,
  listenerOf,
  TargetData,
} from "ext:duplex_websocket/00_event_internals.js";
import { _slots } from "ext:duplex_websocket/00_slots.js";

const {
  ArrayPrototypeIndexOf,
  ArrayPrototypePush,
  ArrayPrototypeSplice,
  FunctionPrototypeCall,
  ObjectCreate,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
} = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");

const HANDLER_TYPES = [
  "open",
  "error",
  "close",
  "message",
  "drain",
  "ping",
  "pong",
];

/** An object with a value for each type of event. */
function ByType(value) {
  this.open = value;
  this.error = value;
  this.close = value;
  this.message = value;
  this.drain = value;
  this.ping = value;
  this.pong = value;
}
// Such an object can get further types, and inherits none.
ByType.prototype = ObjectCreate(null);

/**
 * The listener that stands for a socket's handler in the list of listeners, by
 * the type. All sockets share these listeners.
 */
const handlerListeners = { __proto__: null };
for (let i = 0; i < HANDLER_TYPES.length; i++) {
  const type = HANDLER_TYPES[i];
  handlerListeners[type] = listenerOf(function (event) {
    const handler = this[_slots].handlers[type];
    if (typeof handler === "function") {
      return FunctionPrototypeCall(handler, this, event);
    }
  });
}
const messageHandlerListener = handlerListeners.message;

/** The lists of a socket that has had only handlers. */
function listsOf(handlers) {
  const lists = new ByType(undefined);
  for (let i = 0; i < HANDLER_TYPES.length; i++) {
    const type = HANDLER_TYPES[i];
    if (handlers[type] !== null) {
      lists[type] = [handlerListeners[type]];
    }
  }
  return lists;
}

/** Whether an event of `type` would be heard. */
function hasListeners(socket, type) {
  const data = socket[_slots].listenerData;
  if (data === undefined) {
    return (socket[_slots].handlers?.[type] ?? null) !== null;
  }
  const listeners = data.listeners[type];
  return listeners !== undefined && listeners.length > 0;
}

/** Defines the handlers of all types on `prototype`. */
function defineEventHandlers(prototype) {
  for (let i = 0; i < HANDLER_TYPES.length; i++) {
    defineHandler(prototype, HANDLER_TYPES[i]);
  }
  // deno_web reads the lists to add a listener or to dispatch an event.
  ObjectDefineProperty(prototype, eventTargetData, {
    __proto__: null,
    get() {
      const slots = this[_slots];
      if (slots === undefined) {
        return undefined;
      }
      const { handlers, listenerData } = slots;
      return listenerData !== undefined || handlers === null
        ? listenerData
        : slots.listenerData = new TargetData(listsOf(handlers));
    },
    set(data) {
      // The constructor of EventTarget runs before there are slots. Its value
      // is not needed.
      const slots = this[_slots];
      if (slots !== undefined) {
        slots.listenerData = data;
      }
    },
    configurable: true,
  });
}

/** Defines `on${type}` (HTML section 8.1.8.1). */
function defineHandler(prototype, type) {
  const name = `on${type}`;
  const listener = handlerListeners[type];
  const accessors = {
    get [name]() {
      webidl.assertBranded(this, prototype);
      const handlers = this[_slots].handlers;
      return handlers === null ? null : handlers[type];
    },
    set [name](value) {
      webidl.assertBranded(this, prototype);
      if (typeof value !== "object" && typeof value !== "function") {
        value = null;
      }
      const handlers = this[_slots].handlers ??= new ByType(null);
      const before = handlers[type];
      handlers[type] = value;
      if (before !== null && value !== null) {
        // A handler that is replaced keeps its place among the listeners.
        return;
      }
      const data = this[_slots].listenerData;
      if (data === undefined) {
        // The socket has only handlers so far, so it needs no lists.
        return;
      }
      const list = data.listeners[type];
      if (value !== null) {
        if (list === undefined) {
          data.listeners[type] = [listener];
        } else {
          ArrayPrototypePush(list, listener);
        }
      } else if (before !== null) {
        ArrayPrototypeSplice(list, ArrayPrototypeIndexOf(list, listener), 1);
      }
    },
  };
  const { get, set } = ObjectGetOwnPropertyDescriptor(accessors, name);
  ObjectDefineProperty(prototype, name, {
    __proto__: null,
    get,
    set,
    enumerable: true,
    configurable: true,
  });
}

export { defineEventHandlers, hasListeners, messageHandlerListener };
