// Reads the bytes of a Blob, even if a script has changed the class Blob.
//
// This file depends on an internal of deno_web: a Blob keeps its parts under a
// symbol.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
  blobArrayBuffer,
  blobSize,
} from "ext:duplex_websocket/00_prototypes.js";

const {
  Error,
  FunctionPrototypeCall,
  ObjectDefineProperty,
  ObjectGetOwnPropertySymbols,
  SymbolPrototypeGetDescription,
} = primordials;

const { Blob } = core.loadExtScript("ext:deno_web/09_file.js");

/** The symbol under which a Blob keeps its parts. */
const _blobParts = findParts();

function findParts() {
  const symbols = ObjectGetOwnPropertySymbols(new Blob());
  for (let i = 0; i < symbols.length; i++) {
    if (SymbolPrototypeGetDescription(symbols[i]) === "Parts") {
      return symbols[i];
    }
  }
  throw new Error(
    "deno_web differs from what 00_blob.js knows of it: a Blob has no symbol Parts",
  );
}

/** Resolves with all bytes of a Blob. */
function readBlob(blob) {
  // deno_web reads the property `size` of the Blob. This Blob has its own
  // `size`, which a script cannot have changed.
  const plain = new Blob();
  plain[_blobParts] = blob[_blobParts];
  ObjectDefineProperty(plain, "size", {
    __proto__: null,
    value: FunctionPrototypeCall(blobSize, blob),
  });
  return FunctionPrototypeCall(blobArrayBuffer, plain);
}

export { readBlob };
