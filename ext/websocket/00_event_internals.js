// The internals of deno_web's Event and EventTarget.
//
// A message must cost neither an Event with all its members nor a dispatch, and
// a socket with handlers must hold no lists of listeners. Therefore this
// extension makes objects that deno_web takes for its own. Only this file
// contains the necessary knowledge of deno_web's file 02_event.js. The
// knowledge is checked when this file is loaded, which is before any script
// runs: when the snapshot is made, or when a program without a snapshot starts.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const {
  ArrayIsArray,
  ArrayPrototypeJoin,
  ArrayPrototypeSort,
  Error,
  ObjectGetOwnPropertySymbols,
  ObjectKeys,
  SymbolPrototypeGetDescription,
} = primordials;

const { dispatch, Event, EventTarget, eventTargetData } = core.loadExtScript(
  "ext:deno_web/02_event.js",
);

function check(is, what) {
  if (!is) {
    throw new Error(
      `deno_web differs from what 00_event_internals.js knows of it: ${what}`,
    );
  }
}

/** Throws unless `names` are the `known` names, in any order. */
function checkNames(names, known, what) {
  const listed = (names) => ArrayPrototypeJoin(ArrayPrototypeSort(names), ", ");
  const expected = listed(known);
  const found = listed(names);
  check(found === expected, `${what} has ${found}, and not ${expected}`);
}

// Event.

const event = new Event("");

/** The symbols under which deno_web keeps the members of an Event, by their descriptions. */
const eventSymbols = { __proto__: null };
{
  const symbols = ObjectGetOwnPropertySymbols(event);
  for (let i = 0; i < symbols.length; i++) {
    eventSymbols[SymbolPrototypeGetDescription(symbols[i])] = symbols[i];
  }
}
checkNames(
  ObjectKeys(eventSymbols),
  [
    "[[attributes]]",
    "[[canceledFlag]]",
    "[[dispatched]]",
    "[[inPassiveListener]]",
    "[[isTrusted]]",
    "[[path]]",
    "[[stopImmediatePropagationFlag]]",
    "[[stopPropagationFlag]]",
  ],
  "an Event",
);
const _attributes = eventSymbols["[[attributes]]"];
const _canceledFlag = eventSymbols["[[canceledFlag]]"];
const _dispatched = eventSymbols["[[dispatched]]"];
const _inPassiveListener = eventSymbols["[[inPassiveListener]]"];
const _isTrusted = eventSymbols["[[isTrusted]]"];
const _path = eventSymbols["[[path]]"];
const _stopImmediatePropagationFlag =
  eventSymbols["[[stopImmediatePropagationFlag]]"];
const _stopPropagationFlag = eventSymbols["[[stopPropagationFlag]]"];

const AT_TARGET = 2;

/** The value of `_attributes` in an Event of `type`. */
function attributesOf(type, target, currentTarget) {
  return {
    type,
    bubbles: false,
    cancelable: false,
    composed: false,
    currentTarget,
    eventPhase: currentTarget === null ? 0 : AT_TARGET,
    target,
    timeStamp: 0,
  };
}
checkNames(
  ObjectKeys(event[_attributes]),
  ObjectKeys(attributesOf("", null, null)),
  "[[attributes]] of an Event",
);

/** The value of `_path` in an Event that is dispatched to `target`. */
function pathOf(target) {
  return [{
    item: target,
    itemInShadowTree: false,
    target,
    relatedTarget: undefined,
    touchTargetList: [],
    rootOfClosedTree: false,
    slotInClosedTree: false,
  }];
}

// EventTarget.

/** The entry for `callback` in a list of listeners. */
function listenerOf(callback) {
  return {
    callback,
    options: { capture: false, once: false, passive: false },
    signal: undefined,
    abortListener: undefined,
  };
}

/**
 * The value of `eventTargetData` in an EventTarget with these lists of
 * listeners by type.
 */
function TargetData(listeners) {
  this.assignedSlot = false;
  this.hasActivationBehavior = false;
  this.host = null;
  this.listeners = listeners;
  this.mode = "";
}

{
  const target = new EventTarget();
  check(
    target[eventTargetData] === undefined,
    "an EventTarget without listeners has data",
  );
  let seen;
  const callback = (event) => {
    const { currentTarget, eventPhase } = event[_attributes];
    seen = {
      path: event[_path],
      isDispatched: event[_dispatched],
      isAtTarget: currentTarget === target && eventPhase === AT_TARGET,
    };
  };
  target.addEventListener("x", callback);
  const data = target[eventTargetData];
  checkNames(
    ObjectKeys(data),
    ObjectKeys(new TargetData(null)),
    "an EventTarget",
  );
  const list = data.listeners.x;
  check(
    ArrayIsArray(list) && list.length === 1 && list[0].callback === callback,
    "the listeners of a type are no list of them",
  );
  const listener = listenerOf(callback);
  checkNames(ObjectKeys(list[0]), ObjectKeys(listener), "a listener");
  checkNames(
    ObjectKeys(list[0].options),
    ObjectKeys(listener.options),
    "the options of a listener",
  );

  dispatch(target, new Event("x"));
  check(
    seen?.isDispatched === true && seen.isAtTarget && seen.path.length === 1,
    "an Event that is dispatched is in another state",
  );
  checkNames(
    ObjectKeys(seen.path[0]),
    ObjectKeys(pathOf(target)[0]),
    "[[path]] of an Event",
  );
  // deno_web must also take lists and a listener that it has not made.
  seen = undefined;
  const own = new EventTarget();
  own[eventTargetData] = new TargetData({
    __proto__: null,
    x: [listenerOf(() => seen = true)],
  });
  dispatch(own, new Event("x"));
  check(seen === true, "a listener of another make is not called");
}

export {
  _attributes,
  _canceledFlag,
  _dispatched,
  _inPassiveListener,
  _isTrusted,
  _path,
  _stopImmediatePropagationFlag,
  _stopPropagationFlag,
  attributesOf,
  eventTargetData,
  listenerOf,
  pathOf,
  TargetData,
};
