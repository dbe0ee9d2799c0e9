// The bytes of a Blob, whatever a script has made of its class.
//
// This file leans on the inside of deno_web, whose Blob keeps its parts under a symbol.

import { core, primordials } from "ext:core/mod.js";
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

/** Resolves with the bytes of a Blob, as many as it has. */
function readBlob(blob) {
  // deno_web asks the Blob for its size: this one says what it is.
  const plain = new Blob();
  plain[_blobParts] = blob[_blobParts];
  ObjectDefineProperty(plain, "size", {
    __proto__: null,
    value: FunctionPrototypeCall(blobSize, blob),
  });
  return FunctionPrototypeCall(blobArrayBuffer, plain);
}

export { readBlob };
