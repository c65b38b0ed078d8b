// The inspector of a block: computes hash, puzzle and seal in the browser, also for an edited message.

import { blockText, colourBar, commitment, countZeros, hashOf, hidden, isEditable, puzzleDigest, sealOf } from "./chain.js";

const inspector = document.getElementById("inspector");
const source = document.getElementById("inspector-source");
const field = document.getElementById("edited-message");
const verdict = document.getElementById("verdict");
const digest = document.getElementById("digest");
const bytes = document.getElementById("bytes");

const originalBytes = bytes?.cloneNode(true);
const plainMessage = document.getElementById("plain-message");
const originalMessage = plainMessage?.cloneNode(true);

function showCheck(key, passed, detail) {
  const rule = document.querySelector(`[data-rule="${key}"]`);
  if (!rule) return;
  rule.className = passed ? "passed" : "failed";
  rule.querySelector(".outcome").textContent = passed ? "passed" : "failed";
  if (detail) rule.querySelector(".detail").textContent = detail;
}

// Returns the digits of a hash, with those that differ from the recorded hash marked.
function markDifferences(hash, recorded) {
  const code = document.createElement("code");
  for (let at = 0; at < hash.length; at++) {
    const differs = hash[at] !== recorded[at];
    const last = code.lastChild;
    if (last && (last.nodeType === Node.ELEMENT_NODE) === differs) {
      last.textContent += hash[at];
    } else {
      const piece = differs ? document.createElement("span") : document.createTextNode("");
      if (differs) piece.className = "differs";
      piece.textContent = hash[at];
      code.append(piece);
    }
  }
  return code;
}

// Shows the bytes that are hashed, with visible control characters.
function showBytes(text, message) {
  const start = text.indexOf("| message: ") + 11;
  const body = document.createElement("bdi");
  body.className = "body";
  const mark = (symbol) => {
    const span = document.createElement("span");
    span.className = "mark";
    span.textContent = symbol;
    return span;
  };
  const append = (target, part) => {
    let plain = "";
    for (const character of part) {
      if (!hidden.test(character)) {
        plain += character;
        continue;
      }
      target.append(plain);
      plain = "";
      const code = character.codePointAt(0);
      if (character === "\n") target.append(mark("↵"), "\n");
      else if (character === "\t") target.append(mark("⇥"));
      else if (code === 27) target.append(mark("ESC"));
      else target.append(mark(`U+${code.toString(16).toUpperCase().padStart(4, "0")}`));
    }
    target.append(plain);
  };
  const messageBytes = document.createElement("bdi");
  messageBytes.className = "message-bytes";
  append(body, text.slice(0, start));
  append(messageBytes, message);
  body.append(messageBytes);
  append(body, text.slice(start + message.length));
  const box = document.createElement("div");
  box.className = "text";
  box.append(body);
  bytes.replaceChildren(box);
}

function check(block, previous) {
  const difficulty = Number(inspector.dataset.difficulty);
  const edited = { ...block, data: { ...block.data, message: field.value } };
  const isEdited = edited.data.message !== block.data.message;
  const hash = hashOf(edited);
  digest.replaceChildren(colourBar(hash), markDifferences(hash, block.hash));
  if (isEdited) {
    showBytes(blockText(edited), edited.data.message);
    plainMessage.textContent = edited.data.message;
  } else {
    bytes.replaceChildren(...originalBytes.cloneNode(true).childNodes);
    plainMessage.replaceChildren(...originalMessage.cloneNode(true).childNodes);
  }
  showCheck("hash", hash === block.hash, isEdited
    ? "the hash is different now, so the next block would contain a hash that no block has"
    : "this browser computed the same hash");
  const failures = [];
  if (hash !== block.hash) failures.push("the hash is different");
  if (previous) {
    showCheck("previous", hashOf(previous) === block.previous_hash);
    const found = countZeros(puzzleDigest(previous.proof, block.proof));
    showCheck("puzzle", found >= difficulty, isEdited
      ? `still ${found} zero${found === 1 ? "" : "s"}: the puzzle does not cover the message`
      : undefined);
    if (block.seal === "sealed") {
      const seal = sealOf(edited);
      showCheck("seal", seal === "sealed", seal === "sealed"
        ? "the proof starts with the commitment to this content"
        : `the commitment to this content is ${commitment(edited).slice(0, 12)}…, but the proof starts with ${block.proof.slice(0, 12)}…`);
      if (seal !== "sealed") failures.push("the seal is broken");
    }
  }
  verdict.className = `verdict ${failures.length ? "bad" : "good"}`;
  verdict.textContent = failures.length ? `${failures.join(", ")}.`.replace(/^./, (first) => first.toUpperCase()) : "All checks passed.";
}

async function start() {
  const load = async (path) => (path ? (await fetch(path)).json() : null);
  const [block, previous] = await Promise.all([load(inspector.dataset.raw), load(inspector.dataset.previous)]);
  field.value = block.data.message;
  // A text field normalises line breaks and does not show hidden characters.
  if (field.value !== block.data.message || !isEditable(block.data.message)) {
    source.textContent = hashOf(block) === block.hash
      ? "Your browser computed the same hash."
      : "Your browser computed a different hash!";
    return;
  }
  source.textContent = "Your browser computed it again. Edit the message to see what changes.";
  document.getElementById("editor").hidden = false;
  field.addEventListener("input", () => check(block, previous));
  document.getElementById("restore").addEventListener("click", () => {
    field.value = block.data.message;
    check(block, previous);
  });
  check(block, previous);
}

if (inspector && bytes) start().catch(() => (source.textContent = "The block could not be loaded."));
