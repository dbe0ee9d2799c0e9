// The CloseEvent interface
// (https://websockets.spec.whatwg.org/#the-closeevent-interface). deno_web's
// CloseEvent takes any type and does not convert its arguments.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const { ObjectPrototypeIsPrototypeOf, SymbolFor } = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { createFilteredInspectProxy } = core.loadExtScript(
  "ext:deno_web/01_console.js",
);
const { Event } = core.loadExtScript("ext:deno_web/02_event.js");

const { boolean, DOMString, USVString } = webidl.converters;

const convertInit = webidl.createDictionaryConverter(
  "CloseEventInit",
  [
    { key: "bubbles", converter: boolean, defaultValue: false },
    { key: "cancelable", converter: boolean, defaultValue: false },
    { key: "composed", converter: boolean, defaultValue: false },
  ],
  [
    {
      key: "code",
      converter: webidl.converters["unsigned short"],
      defaultValue: 0,
    },
    { key: "reason", converter: USVString, defaultValue: "" },
    { key: "wasClean", converter: boolean, defaultValue: false },
  ],
);

class CloseEvent extends Event {
  #code;
  #reason;
  #wasClean;

  constructor(type, eventInitDict = undefined) {
    const prefix = "Failed to construct 'CloseEvent'";
    webidl.requiredArguments(arguments.length, 1, prefix);
    type = DOMString(type, prefix, "Argument 1");
    const init = convertInit(eventInitDict, prefix, "Argument 2");
    super(type, init);
    this.#code = init.code;
    this.#reason = init.reason;
    this.#wasClean = init.wasClean;
  }

  get wasClean() {
    return this.#wasClean;
  }

  get code() {
    return this.#code;
  }

  get reason() {
    return this.#reason;
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, inspectOptions) {
    return inspect(
      createFilteredInspectProxy({
        object: this,
        evaluate: ObjectPrototypeIsPrototypeOf(CloseEvent.prototype, this),
        keys: [
          "bubbles",
          "cancelable",
          "composed",
          "currentTarget",
          "defaultPrevented",
          "eventPhase",
          "srcElement",
          "target",
          "returnValue",
          "timeStamp",
          "type",
          "wasClean",
          "code",
          "reason",
        ],
      }),
      inspectOptions,
    );
  }
}
webidl.configureInterface(CloseEvent);

export { CloseEvent };
