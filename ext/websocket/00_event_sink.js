// Dispatches what happens to a socket as events. This is the Sink of
// 00_slots.js for all sockets except those of a server whose handlers are
// functions.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { CloseEvent } from "ext:duplex_websocket/00_close_event.js";
import {
  hasListeners,
  messageHandlerListener,
} from "ext:duplex_websocket/00_event_handlers.js";
import {
  callWithMessage,
  dispatchMessage,
} from "ext:duplex_websocket/00_message_event.js";
import { ABNORMAL_CLOSURE } from "ext:duplex_websocket/00_numbers.js";
import { _slots } from "ext:duplex_websocket/00_slots.js";

const { Error, ErrorPrototypeToString } = primordials;

const { dispatch, ErrorEvent, Event, MessageEvent, setIsTrusted } = core
  .loadExtScript("ext:deno_web/02_event.js");
const { Blob } = core.loadExtScript("ext:deno_web/09_file.js");

class EventSink {
  open(socket) {
    if (hasListeners(socket, "open")) {
      dispatchTrusted(socket, new Event("open"));
    }
  }

  message(socket, data) {
    const slots = socket[_slots];
    if (typeof data !== "string" && slots.binaryType === "blob") {
      data = new Blob([data]);
    }
    const { listenerData } = slots;
    let callback;
    if (listenerData === undefined) {
      callback = slots.handlers?.message ?? null;
      if (callback === null) {
        return;
      }
    } else {
      const listeners = listenerData.listeners.message;
      if (listeners === undefined || listeners.length === 0) {
        return;
      }
      callback = soleCallback(slots, listeners);
    }
    if (typeof callback === "function") {
      callWithMessage(socket, callback, data);
    } else {
      dispatchMessage(socket, data);
    }
  }

  drain(socket) {
    if (hasListeners(socket, "drain")) {
      dispatchTrusted(socket, new Event("drain"));
    }
  }

  control(socket, data, isPong) {
    const type = isPong ? "pong" : "ping";
    if (hasListeners(socket, type)) {
      const { origin } = socket[_slots];
      dispatchTrusted(socket, new MessageEvent(type, { data, origin }));
    }
  }

  closed(socket, code, reason, wasClean, error) {
    if (error !== undefined) {
      dispatchError(socket, new Error(error), error);
    }
    if (hasListeners(socket, "close")) {
      const init = { wasClean, code, reason };
      dispatchTrusted(socket, new CloseEvent("close", init));
    }
  }

  failed(socket, error) {
    dispatchError(socket, error, ErrorPrototypeToString(error));
    const init = { wasClean: false, code: ABNORMAL_CLOSURE, reason: "" };
    dispatchTrusted(socket, new CloseEvent("close", init));
  }

  hasClose(socket) {
    return hasListeners(socket, "close");
  }
}

/** The sink that all sockets with events share. */
const eventSink = new EventSink();

/**
 * The function to call if there is exactly one listener, and it is not `once`,
 * `passive` or an object. Otherwise undefined or an object.
 */
function soleCallback(slots, listeners) {
  if (listeners.length > 1) {
    return undefined;
  }
  const listener = listeners[0];
  if (listener === messageHandlerListener) {
    return slots.handlers.message;
  }
  const { once, passive } = listener.options;
  return once || passive ? undefined : listener.callback;
}

/**
 * Dispatches an ErrorEvent, as Deno does. The standard asks for a plain Event.
 */
function dispatchError(socket, error, message) {
  dispatchTrusted(socket, new ErrorEvent("error", { error, message }));
}

function dispatchTrusted(socket, event) {
  setIsTrusted(event, true);
  dispatch(socket, event);
}

export { EventSink, eventSink };
