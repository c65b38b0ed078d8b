// The second experiment: change a message in a copy of the last blocks, and try to repair it.

import { duration, hashOf, isEditable, large, ribbon, sealOf } from "./chain.js";

const lab = document.getElementById("tamper");
const list = document.getElementById("copy");
const damage = document.getElementById("damage");
const relink = document.getElementById("relink");

let original = [];
let copy = [];
let cards = [];
let relinked = false;

const clone = (block) => ({ ...block, data: { ...block.data } });

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function hashLine(name, hash) {
  const value = element("dd", "", ...(hash ? [ribbon(hash), " ", element("code", "", `${hash.slice(0, 10)}…`)] : ["none"]));
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
    // What a text field would not show as it is is left alone.
    field.disabled = field.value !== block.data.message || !isEditable(block.data.message);
    if (field.disabled) field.value = "A message with hidden characters, or a very long one.";
    field.addEventListener("input", () => {
      copy[at].data.message = field.value;
      judge();
    });
    const label = element("label", "", "message");
    label.htmlFor = field.id;
    const card = element("li", "card", element("h3", "", `Block ${block.index}`), label, field, element("dl"), element("ul"));
    return { card, field, facts: card.querySelector("dl"), checks: card.querySelector("ul") };
  });
  list.replaceChildren(...cards.map(({ card }) => card));
}

// Looks at each block of the copy as a node would.
function judge() {
  const hashes = copy.map(hashOf);
  let torn = 0;
  let broken = 0;
  let first = -1;
  copy.forEach((block, at) => {
    const { card, facts, checks } = cards[at];
    const joins = at === 0 || block.previous_hash === hashes[at - 1];
    const seal = sealOf(block);
    const whole = seal !== "broken";
    const edited = block.data.message !== original[at].data.message;
    if (edited && first < 0) first = at;
    const loose = joins && torn > 0;
    torn += joins ? 0 : 1;
    broken += whole ? 0 : 1;
    card.classList.toggle("torn", !joins || !whole);
    card.classList.toggle("edited", edited);
    card.classList.toggle("loose", loose);
    facts.replaceChildren(...hashLine("hash", hashes[at]), ...hashLine("previous", block.previous_hash));
    const line = (holds, text) => element("li", holds ? "yes" : "no", text);
    checks.replaceChildren(line(joins, joins ? "joins the block before" : "names a hash that is gone"));
    if (loose) checks.append(element("li", "loose", "stands on a torn chain"));
    if (seal !== null) {
      checks.append(line(whole, { sealed: "the seal is whole", open: "open proof: still fits", broken: "the seal is broken" }[seal]));
    }
  });
  say(first, torn, broken);
}

function say(first, torn, broken) {
  const tries = 16 ** Number(lab.dataset.difficulty);
  const speed = Number(lab.dataset.rate);
  const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
  relink.disabled = torn === 0;
  damage.className = `verdict ${torn || broken ? "bad" : "good"}`;
  if (first < 0) {
    damage.textContent = "The copy is whole: every block names the hash of the one before it.";
    return;
  }
  const behind = copy.length - first - 1;
  const parts = [];
  if (torn) parts.push(`The chain is torn after block ${copy[first].index}: ${behind === 1 ? "the block" : `the ${behind} blocks`} behind it stand${behind === 1 ? "s" : ""} on nothing.`);
  else parts.push(relinked ? `All links fit again; that took ${count(behind + 1, "hash").replace("hashs", "hashes")}, next to nothing.` : "No link is torn: no block stands on it yet.");
  if (broken) {
    const puzzles = copy.length - first;
    const cost = puzzles * tries;
    parts.push(`${count(broken, "seal")} ${broken === 1 ? "is" : "are"} broken. To repair ${puzzles === 1 ? "it" : "them"}, ${count(puzzles, "puzzle")} must be solved one after the other: ${puzzles} × 16^${lab.dataset.difficulty} = ${large(cost)} hashes, ${duration(cost / speed)} on the machine of this node.`);
  } else if (!torn) {
    parts.push("These proofs are open: they were kept, and nobody can see that the message was exchanged, except by a hash kept elsewhere.");
  }
  damage.textContent = parts.join(" ");
}

function reset() {
  copy = original.map(clone);
  relinked = false;
  draw();
  judge();
}

relink.addEventListener("click", () => {
  for (let at = 1; at < copy.length; at++) copy[at].previous_hash = hashOf(copy[at - 1]);
  relinked = true;
  judge();
});
document.getElementById("reset").addEventListener("click", reset);

async function start() {
  const loading = document.getElementById("tamper-loading");
  loading.hidden = false;
  try {
    const answer = await fetch(lab.dataset.raw);
    if (!answer.ok) throw new Error("refused");
    original = (await answer.json()).blocks.reverse();
  } catch {
    loading.textContent = "The last blocks could not be fetched.";
    return;
  }
  if (original.length < 2) {
    loading.textContent = "The chain has only its first block yet. Add some messages, then come back.";
    return;
  }
  loading.hidden = true;
  document.getElementById("repairs").hidden = false;
  reset();
}

start();
