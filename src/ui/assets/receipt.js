// Reads and verifies receipts, stamps and consistency proofs: a second implementation of the rules
// for browsers. Nothing here touches the page or the network.

import { sha256 } from "./sha256.js";
import { hashOf, sealOf } from "./chain.js";

const MAX_FILE = 16 << 20;
const MAX_MESSAGE = 256 * 1024;
const MAX_STAMPED_FILES = 1 << 20;
const MAX_STAMP_PATH = 20;
const BLOCK_KEYS = ["index", "timestamp", "proof", "previous_hash", "id", "message"];
const toUtf8 = new TextEncoder();

/** The reason why something is not proven. */
class NotProven extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

function need(holds, reason, message) {
  if (!holds) throw new NotProven(reason, message);
}

const wellFormed = (holds, message) => need(holds, "not_well_formed", message);

// ---------------------------------------------------------------- the tree (RFC 9162, section 2.1)

const fromHex = (digits) => digits.match(/../g).map((pair) => parseInt(pair, 16));
const leafOf = (hash) => sha256(Uint8Array.from([0, ...fromHex(hash)]));
const parentOf = (left, right) => sha256(Uint8Array.from([1, ...fromHex(left), ...fromHex(right)]));
const EMPTY_ROOT = sha256(new Uint8Array(0));
// Indexes go up to 2^53, beyond what the bit operators take.
const half = (number) => Math.floor(number / 2);
const isOdd = (number) => number % 2 === 1;

function checkInclusion(hash, index, size, path, root) {
  let node = index;
  let last = size - 1;
  let reached = leafOf(hash);
  for (const sibling of path) {
    if (last === 0) return "the proof has too many hashes";
    if (isOdd(node) || node === last) {
      reached = parentOf(sibling, reached);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      reached = parentOf(reached, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) return "the proof has too few hashes";
  return reached === root ? null : "the hashes do not lead to the history root";
}

function checkConsistency(first, second, firstRoot, secondRoot, proof) {
  if (first === 0) {
    if (proof.length > 0) return "the proof has too many hashes";
    return firstRoot === EMPTY_ROOT ? null : "the hashes do not lead to the root of the earlier block";
  }
  if (proof.length === 0) return "the proof has too few hashes";
  let node = first - 1;
  let last = second - 1;
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  const isComplete = Number.isInteger(Math.log2(first));
  let firstReached = isComplete ? firstRoot : proof[0];
  let secondReached = firstReached;
  for (const sibling of isComplete ? proof : proof.slice(1)) {
    if (last === 0) return "the proof has too many hashes";
    if (isOdd(node) || node === last) {
      firstReached = parentOf(sibling, firstReached);
      secondReached = parentOf(sibling, secondReached);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      secondReached = parentOf(secondReached, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) return "the proof has too few hashes";
  if (firstReached !== firstRoot) return "the hashes do not lead to the root of the earlier block";
  return secondReached === secondRoot ? null : "the hashes do not lead to the history root";
}

// ---------------------------------------------------------------- fields

/** The one text of a float time: plain from 1e-4 up to 1e16, scientific outside. */
function floatText(value) {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [, sign, digits, exponent] = /^(-?)([\d.]+)e([+-]\d+)$/.exec(value.toExponential());
  const plain = digits.replace(".", "");
  const scale = Number(exponent);
  if (scale >= 16 || scale < -4) {
    const power = String(Math.abs(scale)).padStart(2, "0");
    return `${sign}${digits}e${scale < 0 ? "-" : "+"}${power}`;
  }
  if (scale < 0) return `${sign}0.${"0".repeat(-scale - 1)}${plain}`;
  const padded = plain.padEnd(scale + 1, "0");
  return `${sign}${padded.slice(0, scale + 1)}.${padded.slice(scale + 1) || "0"}`;
}

function isTime(text) {
  if (typeof text !== "string") return false;
  if (/^(0|-?[1-9][0-9]{0,15})$/.test(text)) return Math.abs(Number(text)) <= 2 ** 53;
  const value = Number(text);
  return text.trim() === text && text !== "" && Number.isFinite(value) && floatText(value) === text;
}

const isHash = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isIndex = (value) => Number.isSafeInteger(value) && value >= 0;
const isPath = (value) => Array.isArray(value) && value.length <= 64 && value.every(isHash);
const isText = (text) => typeof text === "string" && !/[\ud800-\udfff]/u.test(text);

/** Checks that an object has the required keys, and of the others only the optional ones. */
function checkKeys(object, required, optional = []) {
  const isObject = typeof object === "object" && object !== null && !Array.isArray(object);
  wellFormed(isObject, "a part of the file is not an object");
  const keys = Object.keys(object);
  for (const key of required) wellFormed(keys.includes(key), `${key} is missing`);
  for (const key of keys) {
    wellFormed(required.includes(key) || optional.includes(key), `a key is unknown: ${key.slice(0, 100)}`);
  }
}

/** Puts keys into their order; another order shows when the text is compared. */
function inOrder(object, keys) {
  return Object.fromEntries(keys.filter((key) => key in object).map((key) => [key, object[key]]));
}

function readBlock(block, optional) {
  checkKeys(block, BLOCK_KEYS, optional);
  wellFormed(isIndex(block.index), "an index is not a whole number up to 2^53-1");
  const name = `block ${block.index}: `;
  wellFormed(isTime(block.timestamp), `${name}the timestamp is not a number in shortest form`);
  wellFormed(typeof block.id === "string" && /^[0-9a-f]{32}$/.test(block.id), `${name}the id is not 32 hex digits`);
  wellFormed(isText(block.message), `${name}the message is not text`);
  wellFormed(toUtf8.encode(block.message).length <= MAX_MESSAGE, `${name}the message is too long`);
  if (block.index === 0) {
    const isFirst = block.proof === null && block.previous_hash === null;
    wellFormed(isFirst, "a genesis block has no proof and no previous hash");
  } else {
    const isProof = typeof block.proof === "string" && /^(0|-?[1-9][0-9]{0,4299})$/.test(block.proof);
    wellFormed(isProof, `${name}the proof is not decimal text`);
    wellFormed(isHash(block.previous_hash), `${name}the previous hash is not 64 hex digits`);
  }
}

const mustBeSealed = (block) => block.proof !== null && block.proof.replace("-", "").length > 40;

/** The block in the form that the other scripts use. */
const plainBlock = (block, root) => ({
  index: block.index,
  timestamp_text: block.timestamp,
  proof: block.proof,
  previous_hash: block.previous_hash,
  history_root: root,
  data: { id: block.id, message: block.message },
});

function readReceipt(receipt) {
  checkKeys(receipt, ["format", "under", "root", "entries"]);
  readBlock(receipt.under);
  wellFormed(isHash(receipt.root), "the root is not 64 hex digits");
  const { entries, under } = receipt;
  wellFormed(Array.isArray(entries) && entries.length <= 1000, "there are more than 1000 entries");
  let below = -1;
  for (const entry of entries) {
    readBlock(entry, ["history_root", "path"]);
    wellFormed(isPath(entry.path), "a path is not a list of at most 64 hashes");
    wellFormed(entry.index < under.index, `block ${entry.index} is not below block ${under.index}`);
    wellFormed(entry.index > below, "the entries are not in ascending order");
    below = entry.index;
    const hasRoot = "history_root" in entry;
    wellFormed(!hasRoot || isHash(entry.history_root), "a history root is not 64 hex digits");
    const isLong = mustBeSealed(entry);
    wellFormed(hasRoot || !isLong, `block ${entry.index} has no history root`);
    wellFormed(!hasRoot || isLong, `block ${entry.index} is open and must not have a history root`);
  }
  const isEmpty = under.index > 0 || receipt.root === EMPTY_ROOT;
  wellFormed(isEmpty, "the history root of a genesis block must be the empty tree hash");
  return {
    format: receipt.format,
    under: inOrder(under, BLOCK_KEYS),
    root: receipt.root,
    entries: entries.map((entry) => inOrder(entry, [...BLOCK_KEYS, "history_root", "path"])),
  };
}

function readPending(pending) {
  checkKeys(pending, ["id", "message"]);
  wellFormed(typeof pending.id === "string" && /^[0-9a-f]{32}$/.test(pending.id), "the id is not 32 hex digits");
  wellFormed(isText(pending.message), "the message is not text");
  return inOrder(pending, ["id", "message"]);
}

function readStamp(stamp) {
  checkKeys(stamp, ["format", "salt", "leaf", "path"], ["receipt", "pending"]);
  const { format, salt, leaf, path } = stamp;
  const [receipt, pending] = [stamp.receipt ?? null, stamp.pending ?? null];
  wellFormed(typeof salt === "string" && /^([0-9a-fA-F]{32})?$/.test(salt), "the salt is not 32 lower-case hex digits");
  wellFormed(isIndex(leaf), "the position is not a whole number");
  wellFormed(isPath(path) && path.length <= MAX_STAMP_PATH, `the path is not a list of at most ${MAX_STAMP_PATH} hashes`);
  wellFormed((receipt === null) !== (pending === null), "it has both a receipt and a pending message, or neither");
  const head = { format, salt: salt.toLowerCase(), leaf, path };
  if (receipt === null) return { ...head, receipt, pending: readPending(pending) };
  const read = readReceipt(receipt);
  wellFormed(receipt.format === "blockchain/receipt/1", "its receipt is not a receipt");
  wellFormed(read.entries.length <= 1, "the receipt of a stamp has more than one entry");
  return { ...head, receipt: read };
}

function readEnd(end) {
  checkKeys(end, ["index", "hash", "root"]);
  wellFormed(isIndex(end.index), "an index is not a whole number up to 2^53-1");
  wellFormed(isHash(end.hash) && isHash(end.root), "a hash is not 64 hex digits");
  return inOrder(end, ["index", "hash", "root"]);
}

function readConsistency(proof) {
  checkKeys(proof, ["format", "from", "to", "consistency", "path"]);
  const [from, to] = [readEnd(proof.from), readEnd(proof.to)];
  wellFormed(isPath(proof.consistency) && isPath(proof.path), "a list is not one of at most 64 hashes");
  wellFormed(from.index < to.index, "the earlier block is not below the later one");
  return { format: proof.format, from, to, consistency: proof.consistency, path: proof.path };
}

const READERS = {
  "blockchain/receipt/1": readReceipt,
  "blockchain/consistency/1": readConsistency,
  "blockchain/stamp/1": readStamp,
};

/** Reads a file in its one canonical form. */
function readFile(text) {
  need(text.length <= MAX_FILE, "not_readable", "the file is too large");
  let value;
  try {
    value = JSON.parse(text);
    // Half of a surrogate pair is not a text for other parsers.
    JSON.stringify(value, (key, part) => {
      if (!isText(key) || (typeof part === "string" && !isText(part))) throw new SyntaxError();
      return part;
    });
  } catch {
    throw new NotProven("not_readable", "the file is not JSON");
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  wellFormed(isObject, "the file is not an object");
  const format = Object.hasOwn(READERS, value.format) ? READERS[value.format] : null;
  wellFormed(format !== null, "the file is neither a receipt, a stamp nor a consistency proof");
  const content = format(value);
  const escape = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const canonical = `${JSON.stringify(content, null, 1).replace(/[\u007f-\uffff]/g, escape)}\n`;
  need(canonical === text, "not_canonical", "the file is not in canonical form");
  return content;
}

// ---------------------------------------------------------------- verdicts

function describe(block, root) {
  const plain = plainBlock(block, root);
  return { index: block.index, hash: hashOf(plain), seal: sealOf(plain), time: block.timestamp };
}

function checkSeal({ index, seal }) {
  need(seal !== "broken", "broken_seal", `the seal of block ${index} is broken`);
}

function verifyReceipt(receipt, trusted) {
  const under = describe(receipt.under, receipt.root);
  checkSeal(under);
  const entries = receipt.entries.map((entry) => {
    const found = describe(entry, entry.history_root ?? null);
    const why = checkInclusion(found.hash, entry.index, under.index, entry.path, receipt.root);
    need(why === null, "not_in_history", `block ${entry.index} is not in this history: ${why}`);
    checkSeal(found);
    return { ...found, id: entry.id, message: entry.message };
  });
  const named = trusted.filter((kept) => kept.index === under.index);
  const isKept = (kept) => kept.hash === under.hash && kept.root === receipt.root;
  if (!named.some(isKept)) {
    need(named.length === 0, "other_block", `block ${under.index} differs from the trusted checkpoint`);
    const isHashTrusted = trusted.some((kept) => kept.index === undefined && kept.hash === under.hash);
    need(isHashTrusted, "not_trusted", `the proof depends on block ${under.index} (${under.hash}), which matches no trusted hash or checkpoint`);
    need(
      under.seal === "sealed" || entries.length === 0,
      "unbound_root",
      `block ${under.index} is not sealed, so its hash does not authenticate earlier blocks; use a checkpoint of it`,
    );
    return { by: "hash", under, entries };
  }
  return { by: "checkpoint", under, entries };
}

function verifyConsistency(proof, trusted) {
  const { from, to } = proof;
  const why =
    checkConsistency(from.index, to.index, from.root, to.root, proof.consistency) ??
    checkInclusion(from.hash, from.index, to.index, proof.path, to.root);
  need(why === null, "not_in_history", `the later checkpoint does not continue the earlier one: ${why}`);
  const same = (end) => (kept) => kept.index === end.index && kept.hash === end.hash && kept.root === end.root;
  const isTrusted = trusted.some(same(from)) || trusted.some(same(to));
  need(isTrusted, "not_trusted", `neither block ${from.index} nor block ${to.index} is a checkpoint you trust`);
  return { by: "checkpoint", under: null, entries: [], ends: [from, to] };
}

/** Returns the number of files and the root in the message of a stamp, or null for other messages. */
export function parseStampMessage(message) {
  const found = /^blockchain-stamp\/1 sha256 ([1-9][0-9]{0,6}) ([0-9a-f]{64})$/.exec(message);
  if (found === null || Number(found[1]) > MAX_STAMPED_FILES) return null;
  return { files: Number(found[1]), root: found[2] };
}

function verifyStamp({ salt, leaf, path, receipt, pending }, trusted, digest) {
  const carrier = receipt === null ? pending : (receipt.entries[0] ?? receipt.under);
  const message = parseStampMessage(carrier.message);
  need(message !== null, "not_a_stamp", "its message is not a stamp");
  need(digest !== null, "no_file", "this is a stamp: choose the stamped file, too, or give its SHA-256");
  const why =
    leaf < message.files
      ? checkInclusion(salt + digest, leaf, message.files, path, message.root)
      : "the proof is for another position";
  need(why === null, "other_file", `the file is not the one that was stamped: ${why}`);
  const wait = `message ${carrier.id} was pending when the stamp was written: upgrade the stamp first`;
  need(receipt !== null, "pending", wait);
  return { ...verifyReceipt(receipt, trusted), files: message.files, stampedIn: carrier.index };
}

/**
 * Verifies the text of a receipt, stamp or consistency proof for a reader who trusts these hashes
 * and checkpoints. A stamp is compared with the SHA-256 of a file. Returns the verdict that the
 * command line prints as JSON, with the block itself in `message` and `id` of `under` as `content`.
 */
export function verify(text, trusted, digest = null) {
  try {
    const content = readFile(text);
    const isStamp = content.format === "blockchain/stamp/1";
    const verdict = isStamp
      ? verifyStamp(content, trusted, digest)
      : content.under ? verifyReceipt(content, trusted) : verifyConsistency(content, trusted);
    const under = isStamp ? content.receipt.under : content.under;
    const own = under && { id: under.id, message: under.message };
    return { proven: true, reason: null, message: null, content: own ?? null, ...verdict };
  } catch (error) {
    if (!(error instanceof NotProven)) throw error;
    const { reason, message } = error;
    return { proven: false, by: null, reason, message, content: null, under: null, entries: [] };
  }
}

/**
 * Reads what is trusted: hashes of 64 digits and checkpoint lines, in any case and wrapped in any
 * way, and lines that begin with #. Returns null if there is anything else, or if two checkpoints
 * of one block differ.
 */
export function readTrusted(text) {
  const words = text.replace(/^#.*$/gm, "").toLowerCase().split(/\s+/).filter((word) => word !== "");
  const trusted = [];
  for (let at = 0; at < words.length; ) {
    if (words[at] !== "blockchain-checkpoint/1") {
      if (!isHash(words[at])) return null;
      trusted.push({ hash: words[at] });
      at += 1;
      continue;
    }
    const [, genesis, index, hash, root] = words.slice(at, at + 5);
    const isLine = isHash(genesis) && /^(0|[1-9][0-9]{0,15})$/.test(index) && isHash(hash) && isHash(root);
    if (!isLine || !isIndex(Number(index))) return null;
    const kept = { genesis, index: Number(index), hash, root };
    const contradicts = (other) =>
      other.genesis === genesis && other.index === kept.index && (other.hash !== hash || other.root !== root);
    if (trusted.some(contradicts)) return null;
    trusted.push(kept);
    at += 5;
  }
  return trusted;
}
