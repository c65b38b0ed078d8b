// The workbench of a block: hash, puzzle and seal worked out again in the browser, also for a
// message that was changed.

import { commitment, documentedText, hashOf, hidden, isEditable, puzzle, ribbon, sealOf, zeros } from "./chain.js";

const bench = document.getElementById("bench");
const where = document.getElementById("bench-where");
const field = document.getElementById("changed");
const verdict = document.getElementById("verdict");
const digest = document.getElementById("digest");
const bytes = document.getElementById("bytes");

const shown = bytes?.cloneNode(true);

function tick(key, holds, why) {
  const rule = document.querySelector(`[data-rule="${key}"]`);
  if (!rule) return;
  rule.className = holds ? "yes" : "no";
  rule.querySelector(".tick").textContent = holds ? "holds" : "broken";
  if (why) rule.querySelector(".why").textContent = why;
}

// The digits of a hash, with those that differ marked.
function digits(hash, recorded) {
  const code = document.createElement("code");
  for (let at = 0; at < hash.length; at++) {
    const differs = hash[at] !== recorded[at];
    const last = code.lastChild;
    if (last && (last.nodeType === Node.ELEMENT_NODE) === differs) {
      last.textContent += hash[at];
    } else {
      const piece = differs ? document.createElement("span") : document.createTextNode("");
      if (differs) piece.className = "changed";
      piece.textContent = hash[at];
      code.append(piece);
    }
  }
  return code;
}

// The bytes that are hashed, control characters visible.
function write(text, message) {
  const start = text.indexOf("| message: ") + 11;
  const body = document.createElement("bdi");
  body.className = "body";
  const mark = (symbol) => {
    const span = document.createElement("span");
    span.className = "mark";
    span.textContent = symbol;
    return span;
  };
  const put = (target, piece) => {
    let plain = "";
    for (const character of piece) {
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
  const said = document.createElement("bdi");
  said.className = "say";
  put(body, text.slice(0, start));
  put(said, message);
  body.append(said);
  put(body, text.slice(start + message.length));
  const box = document.createElement("div");
  box.className = "text";
  box.append(body);
  bytes.replaceChildren(box);
}

function work(block, previous) {
  const difficulty = Number(bench.dataset.difficulty);
  const changed = { ...block, data: { ...block.data, message: field.value } };
  const isChanged = changed.data.message !== block.data.message;
  const hash = hashOf(changed);
  digest.replaceChildren(ribbon(hash), digits(hash, block.hash));
  if (isChanged) write(documentedText(changed), changed.data.message);
  else bytes.replaceChildren(...shown.cloneNode(true).childNodes);
  tick("hash", hash === block.hash, isChanged
    ? "the text has another hash now, so the next block would name one that is gone"
    : "worked out again by this browser: the same");
  const broken = [];
  if (hash !== block.hash) broken.push("the hash is another one");
  if (previous) {
    tick("previous", hashOf(previous) === block.previous_hash);
    const found = zeros(puzzle(previous.proof, block.proof));
    tick("puzzle", found >= difficulty, isChanged
      ? `still ${found} zero${found === 1 ? "" : "s"}: the puzzle does not see the message`
      : undefined);
    if (block.seal === "sealed") {
      const seal = sealOf(changed);
      tick("seal", seal === "sealed", seal === "sealed"
        ? "the proof starts with the commitment to this content"
        : `the commitment would be ${commitment(changed).slice(0, 12)}…, the proof starts with ${block.proof.slice(0, 12)}…`);
      if (seal !== "sealed") broken.push("the seal is broken");
    }
  }
  verdict.className = `verdict ${broken.length ? "bad" : "good"}`;
  verdict.textContent = broken.length ? `${broken.join(", ")}.`.replace(/^./, (first) => first.toUpperCase()) : "Everything fits.";
}

async function start() {
  const ask = async (path) => (path ? (await fetch(path)).json() : null);
  const [block, previous] = await Promise.all([ask(bench.dataset.raw), ask(bench.dataset.previous)]);
  field.value = block.data.message;
  // A text field has its own idea of line breaks, and shows what is hidden as it likes.
  if (field.value !== block.data.message || !isEditable(block.data.message)) {
    where.textContent = hashOf(block) === block.hash
      ? "Your browser has worked out the hash once more: the same."
      : "Your browser has worked out another hash!";
    return;
  }
  where.textContent = "Your browser has done it once more. Change the message to see what happens.";
  document.getElementById("try").hidden = false;
  field.addEventListener("input", () => work(block, previous));
  document.getElementById("restore").addEventListener("click", () => {
    field.value = block.data.message;
    work(block, previous);
  });
  work(block, previous);
}

if (bench && bytes) start().catch(() => (where.textContent = "The block could not be fetched again."));
