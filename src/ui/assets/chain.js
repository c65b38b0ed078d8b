// The rules of the chain in JavaScript: block text, hash, puzzle and seal.

import { sha256 } from "./sha256.js";

const utf8 = new TextEncoder();
const bytesOf = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Returns the text of a block, which is the preimage of its hash. */
export function blockText(block) {
  const bold = (name) => `\x1b[1m${name}\x1b[0m`;
  const rule = "=".repeat(80);
  return (
    `\n| ${rule}` +
    `\n| ${bold("index")}: \t ${block.index} ` +
    `\n| ${bold("time")}: \t ${block.timestamp_text} ` +
    `\n| ${bold("proof")}: \t ${block.proof ?? "None"} ` +
    `\n| ${bold("prev. hash")}: \t ${block.previous_hash ?? "None"} ` +
    `\n| \t\t${"_".repeat(66)}` +
    `\n| ${bold("data")}:\t\t| id: \t${block.data.id}` +
    `\n| \t\t| message: ${block.data.message}` +
    `\n| \t\t${"_".repeat(65)}` +
    `\n| ${rule}\n`
  );
}

/** Returns the hash of a block. */
export const hashOf = (block) => sha256(utf8.encode(blockText(block)));

/** Returns the digest of the puzzle. */
export const puzzleDigest = (previousProof, proof) => sha256(utf8.encode(`${previousProof ?? "None"}${proof}`));

/** Returns the number of trailing zeros of a digest. */
export const countZeros = (digest) => digest.length - digest.replace(/0+$/, "").length;

/** Returns the commitment that a sealed proof starts with, or null if the timestamp is not a float. */
export function commitment(block) {
  if (!/[.e]/.test(block.timestamp_text)) return null;
  const message = utf8.encode(block.data.message);
  const numbers = new DataView(new ArrayBuffer(24));
  numbers.setBigUint64(0, BigInt(block.index));
  numbers.setFloat64(8, Number(block.timestamp_text));
  numbers.setBigUint64(16, BigInt(message.length));
  const part = (start) => new Uint8Array(numbers.buffer, start, 8);
  const parts = [
    utf8.encode("blockchain/sealed/1\n"),
    part(0),
    bytesOf(block.previous_hash),
    bytesOf(block.history_root),
    bytesOf(block.data.id),
    part(8),
    part(16),
    message,
  ];
  const all = new Uint8Array(parts.reduce((sum, bytes) => sum + bytes.length, 0));
  let end = 0;
  for (const bytes of parts) {
    all.set(bytes, end);
    end += bytes.length;
  }
  return BigInt(`0x${sha256(all)}`).toString();
}

/** Returns `sealed`, `open` or `broken`, or null for the genesis block. */
export function sealOf(block) {
  if (block.proof === null) return null;
  if (block.proof.replace("-", "").length <= 40) return "open";
  const start = commitment(block);
  const nonce = block.proof.length - (start?.length ?? 0);
  return start !== null && block.proof.startsWith(start) && nonce >= 1 && nonce <= 96 ? "sealed" : "broken";
}

/** Matches characters that can hide or reorder text. */
export const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034f\u115f\u1160\u2800\u3164\uffa0]/u;

// The joiners inside an emoji hide nothing. The same as text::with_emoji_joiners on the server.
const pictograph = "[\\u2194\\u2195\\u2600-\\u27bf\\u2b1b\\u{1f300}-\\u{1f3fa}\\u{1f400}-\\u{1faff}]";
const emojiJoiner = new RegExp(`(?<=${pictograph}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]*)\\u200d(?=${pictograph})`, "gu");

/** Returns `true` if a text field can show the message unchanged. */
export const isEditable = (text) =>
  text.length <= 5000 && !hidden.test(text.replace(/[\n\t]/g, "").replace(emojiJoiner, ""));

/** Returns the colour bar of a hash, the same as the server draws. */
export function colourBar(hash) {
  const name = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(name, "svg");
  const set = (element, attributes) => {
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  set(svg, { class: "colour-bar", viewBox: "0 0 32 6", "aria-hidden": "true", preserveAspectRatio: "none" });
  for (let cell = 0; cell < 8; cell++) {
    const value = parseInt(hash.slice(cell * 8, cell * 8 + 8), 16);
    const colour = `hsl(${value % 360} 62% ${38 + (Math.floor(value / 360) % 30)}%)`;
    svg.append(set(document.createElementNS(name, "rect"), { x: cell * 4, width: 4, height: 6, fill: colour }));
  }
  return svg;
}

/** The same as format::large_number on the server. */
export function largeNumber(value) {
  for (const [unit, name] of [[1e18, "quintillion"], [1e15, "quadrillion"], [1e12, "trillion"], [1e9, "billion"]]) {
    if (value >= unit * 1000 && unit === 1e18) return value.toExponential(1);
    if (value >= unit) return `${(value / unit).toFixed(1)} ${name}`;
  }
  return Math.round(value).toLocaleString("en-US");
}

/** The same as format::duration on the server. */
export function duration(seconds) {
  const short = (value, unit) => `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
  const year = 365.25 * 86400;
  if (seconds >= 1e4 * year) return `${largeNumber(seconds / year)} years`;
  for (const [unit, name] of [[year, "years"], [86400, "days"], [3600, "hours"], [60, "minutes"]]) {
    // Larger units are used from two of them on, but minutes from 100 seconds on.
    if (seconds >= (unit === 60 ? 100 : 2 * unit)) return short(seconds / unit, name);
  }
  if (seconds >= 1) return short(seconds, "s");
  if (seconds >= 1e-3) return `${(seconds * 1e3).toFixed(0)} ms`;
  return seconds >= 1e-6 ? `${(seconds * 1e6).toFixed(0)} µs` : "under 1 µs";
}

/** Formats a rate in hashes per second. */
export const hashRate = (hashes) =>
  hashes >= 1e6 ? `${(hashes / 1e6).toFixed(1)} MH/s` : `${(hashes / 1e3).toFixed(0)} kH/s`;
