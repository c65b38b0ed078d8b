// The second lab experiment: edits a message in a copy of the newest blocks and repairs the chain.

import { colourBar, duration, hashOf, isEditable, largeNumber, sealOf } from "./chain.js";

const lab = document.getElementById("tamper");
const list = document.getElementById("copy");
const damage = document.getElementById("damage");
const relink = document.getElementById("relink");

let original = [];
let copy = [];
let cards = [];
let isRelinked = false;

const clone = (block) => ({ ...block, data: { ...block.data } });

function element(name, className, ...content) {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(...content);
  return created;
}

function hashLine(name, hash) {
  const value = element("dd", "", ...(hash ? [colourBar(hash), " ", element("code", "", `${hash.slice(0, 10)}…`)] : ["none"]));
  return [element("dt", "", name), value];
}

function draw() {
  cards = copy.map((block, at) => {
    const field = element("textarea");
    field.rows = 2;
    field.dir = "auto";
    field.spellcheck = false;
    field.id = `copy-${block.index}`;
    field.value = block.data.message;
    // A message that a text field would change cannot be edited.
    field.disabled = field.value !== block.data.message || !isEditable(block.data.message);
    if (field.disabled) field.value = "This message has hidden characters or is too long to edit.";
    field.addEventListener("input", () => {
      copy[at].data.message = field.value;
      check();
    });
    const label = element("label", "", "message");
    label.htmlFor = field.id;
    const card = element("li", "card", element("h3", "", `Block ${block.index}`), label, field, element("dl"), element("ul"));
    return { card, field, facts: card.querySelector("dl"), checks: card.querySelector("ul") };
  });
  list.replaceChildren(...cards.map(({ card }) => card));
}

// Checks each block of the copy as a node would.
function check() {
  const hashes = copy.map(hashOf);
  let brokenLinks = 0;
  let brokenSeals = 0;
  let firstEdited = -1;
  copy.forEach((block, at) => {
    const { card, facts, checks } = cards[at];
    const isLinked = at === 0 || block.previous_hash === hashes[at - 1];
    const seal = sealOf(block);
    const isSealValid = seal !== "broken";
    const isEdited = block.data.message !== original[at].data.message;
    if (isEdited && firstEdited < 0) firstEdited = at;
    const isDownstream = isLinked && brokenLinks > 0;
    brokenLinks += isLinked ? 0 : 1;
    brokenSeals += isSealValid ? 0 : 1;
    card.classList.toggle("broken", !isLinked || !isSealValid);
    card.classList.toggle("edited", isEdited);
    card.classList.toggle("downstream", isDownstream);
    facts.replaceChildren(...hashLine("hash", hashes[at]), ...hashLine("previous hash", block.previous_hash));
    const line = (passed, text) => element("li", passed ? "passed" : "failed", text);
    checks.replaceChildren(line(isLinked, isLinked ? "previous hash matches" : "previous hash does not match"));
    if (isDownstream) checks.append(element("li", "downstream", "an earlier link is broken"));
    if (seal !== null) {
      checks.append(line(isSealValid, { sealed: "seal is valid", open: "open proof is still valid", broken: "seal is broken" }[seal]));
    }
  });
  describe(firstEdited, brokenLinks, brokenSeals);
}

function describe(firstEdited, brokenLinks, brokenSeals) {
  const tries = 16 ** Number(lab.dataset.difficulty);
  const hashRate = Number(lab.dataset.hashRate);
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  relink.disabled = brokenLinks === 0;
  damage.className = `verdict ${brokenLinks || brokenSeals ? "bad" : "good"}`;
  if (firstEdited < 0) {
    damage.textContent = "The copy is valid: every block contains the hash of the previous block.";
    return;
  }
  const later = copy.length - firstEdited - 1;
  const parts = [];
  if (brokenLinks) parts.push(`The chain is broken after block ${copy[firstEdited].index}, so ${count(later, "later block")} ${later === 1 ? "is" : "are"} invalid.`);
  else if (isRelinked) parts.push(`All previous hashes match again. Recomputing them took ${later + 1} ${later ? "hashes" : "hash"}, which costs almost nothing.`);
  else parts.push("No link is broken, because no block follows.");
  if (brokenSeals) {
    const puzzles = copy.length - firstEdited;
    const cost = puzzles * tries;
    parts.push(`${count(brokenSeals, "seal")} ${brokenSeals === 1 ? "is" : "are"} broken. The repair takes ${count(puzzles, "puzzle")}, solved one after the other: ${puzzles} × 16^${lab.dataset.difficulty} = ${largeNumber(cost)} hashes, or ${duration(cost / hashRate)} on this node.`);
  } else if (!brokenLinks) {
    parts.push("These proofs are open and stay valid. Only a hash kept elsewhere reveals the change.");
  }
  damage.textContent = parts.join(" ");
}

function reset() {
  copy = original.map(clone);
  isRelinked = false;
  draw();
  check();
}

relink.addEventListener("click", () => {
  for (let at = 1; at < copy.length; at++) copy[at].previous_hash = hashOf(copy[at - 1]);
  isRelinked = true;
  check();
});
document.getElementById("reset").addEventListener("click", reset);

async function start() {
  const loading = document.getElementById("tamper-loading");
  loading.hidden = false;
  try {
    const response = await fetch(lab.dataset.raw);
    if (!response.ok) throw new Error(`status ${response.status}`);
    original = (await response.json()).blocks.reverse();
  } catch {
    loading.textContent = "The newest blocks could not be loaded.";
    return;
  }
  if (original.length < 2) {
    loading.textContent = "The chain has only its genesis block. Add some messages first.";
    return;
  }
  loading.hidden = true;
  document.getElementById("repairs").hidden = false;
  reset();
}

start();
