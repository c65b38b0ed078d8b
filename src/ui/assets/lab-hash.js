// Step 1 of the lab: the digest of what the visitor types.

import { colourBar } from "./chain.js";
import { markedDigest } from "./lab-view.js";
import { sha256 } from "./sha256.js";

const get = (id) => document.getElementById(id);
const utf8 = new TextEncoder();

let digest = "";

function show() {
  const previous = digest;
  digest = sha256(utf8.encode(get("hash-text").value));
  get("hash-ribbon").replaceChildren(colourBar(digest));
  get("hash-digest").replaceChildren(markedDigest(digest, previous || digest));
  const changed = previous ? [...digest].filter((digit, at) => digit !== previous[at]).length : 0;
  get("hash-before").hidden = changed === 0;
  if (changed === 0) return;
  get("hash-old-ribbon").replaceChildren(colourBar(previous));
  get("hash-old").textContent = previous;
  get("hash-changed").textContent = `Your last change altered ${changed} of 64 digits.`;
}

/** Starts the step. */
export function startHash() {
  get("hash-text").addEventListener("input", show);
  show();
}
