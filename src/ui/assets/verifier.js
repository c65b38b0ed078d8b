// The form that verifies a receipt or a stamp in the browser: on the page /receipt, and in the offline page
// that the command line writes. Nothing is uploaded.

import { readTrusted, verify } from "./receipt.js";
import { hidden } from "./chain.js";
import { sha256OfFile } from "./sha256.js";

const form = document.getElementById("verifier");
const receiptField = document.getElementById("receipt");
const trustField = document.getElementById("trust");
const verdictBox = document.getElementById("verdict");
const fileField = document.getElementById("file");
const digestField = document.getElementById("digest");
const stampedField = document.getElementById("stamped");
/** A file that is larger is not a proof. */
const MAX_PROOF = 16 << 20;
const anyHidden = new RegExp(hidden.source, "gu");

/** The text of a message with its control and direction characters spelled out. */
const visible = (text) => {
  const spelled = (character) =>
    character === "\n" || character === "\t" ? character : `\\u{${character.codePointAt(0).toString(16)}}`;
  return text.replace(anyHidden, spelled);
};

function add(parent, name, text, className) {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

/** A time in seconds as a date, or the text itself where the calendar ends. */
function dateOf(text) {
  const date = new Date(Number(text) * 1000);
  return Number.isNaN(date.getTime()) ? text : date.toISOString();
}

function showBlock(block, id, message) {
  const time = dateOf(block.time);
  add(verdictBox, "p", `block ${block.index}, ${block.seal ?? "genesis"}, ${time} by its miner's clock`);
  const fields = add(verdictBox, "dl", "", "fields");
  for (const [name, value] of [["id", id], ["message", visible(message)]]) {
    add(fields, "dt", name);
    add(fields, "dd", value, "verbatim");
  }
}

function show(verdict, trustName) {
  verdictBox.replaceChildren();
  verdictBox.hidden = false;
  verdictBox.dataset.proven = String(verdict.proven);
  verdictBox.dataset.reason = verdict.reason ?? "";
  verdictBox.className = verdict.proven ? "verdict good" : "verdict bad";
  if (!verdict.proven) {
    add(verdictBox, "h2", "NOT PROVEN");
    add(verdictBox, "p", visible(verdict.message));
    return;
  }
  add(verdictBox, "h2", "PROVEN");
  if (verdict.ends) {
    const [from, to] = verdict.ends;
    add(verdictBox, "p", `Block ${to.index} continues block ${from.index}. Both are blocks of one chain.`);
    return;
  }
  const { under, entries, content } = verdict;
  add(verdictBox, "p", `by the ${trustName ?? verdict.by} of block ${under.index}`);
  for (const entry of entries) showBlock(entry, entry.id, entry.message);
  if (entries.length === 0) {
    showBlock(under, content.id, content.message);
    add(verdictBox, "p", "The receipt contains no later block, so this block can still be disconnected.");
    if (verdict.by === "hash" && under.seal !== "sealed") {
      add(verdictBox, "p", "Its hash does not authenticate the blocks before it.");
    }
  }
  if (verdict.files) {
    const were = verdict.files === 1 ? "1 file was" : `${verdict.files.toLocaleString("en-US")} files were`;
    add(verdictBox, "p", `${were} stamped by this message, and this is one of them: it existed before block ${verdict.stampedIn} was mined.`);
  }
  const limits = "Not proven: the author, the accuracy of the timestamp, and that this is still the best chain.";
  add(verdictBox, "p", limits, "note");
}

const failure = (reason, message) => ({ proven: false, reason, message });

/** The checkpoint of this node for the block that a receipt is under. */
async function askNode(text) {
  let index;
  try {
    const proof = JSON.parse(text);
    index = (proof.under ?? proof.receipt.under).index;
  } catch {
    return [];
  }
  if (!Number.isSafeInteger(index)) return [];
  const response = await fetch(`${form.dataset.checkpoint}?at=${index}`);
  if (response.status === 404) return [];
  if (!response.ok) throw new Error("the node does not respond");
  return readTrusted((await response.json()).checkpoint) ?? [];
}

/** The SHA-256 of the stamped file, null without one. */
function stampedDigest() {
  // sha256sum prints the name of the file after the hash.
  const [digest] = digestField.value.trim().toLowerCase().split(/\s/);
  if (digest === "") return null;
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error("The SHA-256 of the file is not 64 hex digits.");
  return digest;
}

async function check(text) {
  let digest;
  try {
    digest = stampedDigest();
  } catch (error) {
    return show(failure("not_readable", error.message));
  }
  const asksNode = form.querySelector("input[name=by][value=node]")?.checked;
  if (asksNode) {
    try {
      return show(verify(text, await askNode(text), digest), "node's checkpoint");
    } catch (error) {
      return show(failure("not_trusted", `This node could not be asked: ${error.message}.`));
    }
  }
  const trusted = readTrusted(trustField.value);
  if (trusted === null) {
    const message = "What you trust holds something else than hashes and checkpoint lines, or two lines of one block differ.";
    return show(failure("not_trusted", message));
  }
  if (trusted.length === 0) {
    const message = "Say what you trust: the hash of a sealed block, or a checkpoint line.";
    return show(failure("not_trusted", message));
  }
  return show(verify(text, trusted, digest));
}

// A text field may lose the last line feed of what was pasted.
const pasted = (text) => `${text.replaceAll("\r\n", "\n").replace(/\n+$/, "")}\n`;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  check(pasted(receiptField.value));
});

/** Returns the text of a file, or null if it is not text. */
async function textOf(file) {
  if (file.size > MAX_PROOF) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
  } catch {
    return null;
  }
}

async function read(file) {
  if (!file) return;
  const text = await textOf(file);
  if (text === null) return show(failure("not_readable", "The file is not text."));
  receiptField.value = text;
  await check(text);
}

// Neither the file nor its digest leaves the browser.
async function readStamped(file) {
  if (!file) return;
  digestField.value = "";
  digestField.placeholder = "computing…";
  try {
    digestField.value = await sha256OfFile(file);
  } catch {
    show(failure("not_readable", "The file cannot be read."));
  } finally {
    digestField.placeholder = "";
  }
}

const isProof = (text) => text !== null && /^\s*\{\s*"format": *"blockchain\//.test(text);

fileField.addEventListener("change", () => read(fileField.files[0]));
stampedField.addEventListener("change", async () => {
  await readStamped(stampedField.files[0]);
  if (receiptField.value.trim() !== "") await check(pasted(receiptField.value));
});
form.addEventListener("dragover", (event) => event.preventDefault());
form.addEventListener("drop", async (event) => {
  event.preventDefault();
  for (const file of [...event.dataTransfer.files]) {
    const text = await textOf(file);
    if (isProof(text)) receiptField.value = text;
    else await readStamped(file);
  }
  if (receiptField.value.trim() !== "") await check(pasted(receiptField.value));
});
for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
