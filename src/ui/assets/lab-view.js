// The cards of a copy of the chain, from left to right, and the search for new proofs.

import { colourBar, duration, hashRate, isEditable, largeNumber } from "./chain.js";
import { hashRateHere, search, stop } from "./lab-miner.js";

/** Returns a new element; a class name may be empty. */
export function element(name, className, ...content) {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(...content);
  return created;
}

export const counted = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

/** Returns a digest with the digits marked that differ from another digest. */
export function markedDigest(digest, other) {
  const code = element("code", "lab-digits");
  let run = "";
  let isMarked = false;
  const flush = () => {
    if (run) code.append(isMarked ? element("b", "lab-differs", run) : run);
    run = "";
  };
  for (let at = 0; at < digest.length; at++) {
    const differs = digest[at] !== other[at];
    if (differs !== isMarked) flush();
    isMarked = differs;
    run += digest[at];
  }
  flush();
  return code;
}

/** Returns a digest with its trailing zeros marked. */
export function digestWithZeros(digest) {
  const [zeros] = /0*$/.exec(digest);
  const code = element("code", "lab-digits", digest.slice(0, digest.length - zeros.length));
  if (zeros) code.append(element("b", "zeros", zeros));
  return code;
}

function hashPart(className, name, hash) {
  const part = element("div", className, element("span", "lab-name", name));
  if (hash) part.append(colourBar(hash), element("code", "", `${hash.slice(0, 8)}…`));
  else part.append(element("span", "lab-none", "none"));
  return part;
}

// The genesis block belongs to the network, so its message cannot be edited.
function genesisText({ data: { message } }, isCompact) {
  const text = isCompact || !isEditable(message) ? "genesis, fixed" : `${message} (genesis, fixed)`;
  return element("p", "lab-fixed", text);
}

// A message that a text field would change cannot be edited.
function showMessage(field, message) {
  if (field.value !== message) field.value = message;
  field.disabled = field.value !== message || !isEditable(message);
  if (field.disabled) field.value = "This message has hidden characters or is too long to edit.";
}

/** A list of cards, one for each of the first `shown` blocks of a copy. */
export class ChainView {
  /**
   * `label` names the copy in accessible names; `onChange` is called after every change; `onProgress`
   * with the state of a search, and with null at its end.
   */
  constructor(list, copy, { id, label, rows = 2, shown = Infinity, onChange, onProgress }) {
    Object.assign(this, { list, copy, id, label, rows, onChange, onProgress });
    this.shown = Math.min(shown, copy.blocks.length);
    this.isMining = false;
    this.cards = copy.blocks.slice(0, this.shown).map((block, at) => this.#card(block, at));
    list.replaceChildren(...this.cards.map(({ card }) => card));
    this.update();
  }

  #card(block, at) {
    const isGenesis = block.index === 0;
    const isCompact = this.rows === 1;
    const title = element("h3", "", `Block ${block.index}`);
    title.tabIndex = -1;
    const state = element("span", "lab-state");
    const message = isGenesis ? [genesisText(block, isCompact)] : this.#field(block, at);
    const hashes = element("div", "lab-hashes");
    const checks = element("ul", "lab-checks");
    const mine = element("button", "lab-mine", isCompact ? "Mine" : "Mine this block", element("span", "visually-hidden", `: ${block.index}, ${this.label}`));
    mine.type = "button";
    mine.addEventListener("click", () => this.mine(at).catch((error) => (state.textContent = error.message)));
    const card = element("li", "lab-block", element("div", "lab-head", title, state, mine), ...message, hashes, checks);
    card.dataset.index = block.index;
    const field = card.querySelector("textarea");
    return { card, title, state, field, hashes, checks, mine };
  }

  #field(block, at) {
    const field = element("textarea");
    field.rows = this.rows;
    field.dir = "auto";
    field.spellcheck = false;
    field.id = `${this.id}-${block.index}`;
    field.addEventListener("input", () => {
      stop();
      this.copy.edit(at, field.value);
      this.update();
      this.onChange?.();
    });
    const label = element("label", "", "message", element("span", "visually-hidden", ` of block ${block.index}, ${this.label}`));
    label.htmlFor = field.id;
    return [label, field];
  }

  /** Shows the copy as it is. */
  update() {
    let isAfterBroken = false;
    this.cards.forEach((parts, at) => {
      const { card, state, field, hashes, checks, mine } = parts;
      const block = this.copy.blocks[at];
      const result = this.copy.results[at];
      if (field) showMessage(field, block.data.message);
      card.classList.toggle("lab-broken", !result.passed);
      card.classList.toggle("lab-after", result.passed && isAfterBroken);
      card.classList.toggle("lab-torn", !result.link);
      card.classList.toggle("lab-changed", result.hash !== this.copy.original[at].hash);
      const isRemade = result.passed && !isAfterBroken && result.hash !== this.copy.original[at].hash;
      const isTooEasy = isRemade && result.zeros < this.copy.required;
      const valid = isTooEasy ? `mined with ${counted(result.zeros, "zero")} only` : isRemade ? "✓ valid again" : "✓ valid";
      state.textContent = !result.passed ? "✕ broken" : isAfterBroken ? "! after a broken block" : valid;
      hashes.replaceChildren(hashPart("lab-previous", "previous", block.previous_hash), hashPart("lab-hash", "hash", result.hash));
      checks.replaceChildren(...this.#checks(result, at));
      mine.hidden = result.passed;
      isAfterBroken ||= !result.passed;
    });
  }

  #checks(result, at) {
    const failed = [];
    const previous = this.copy.before(at);
    if (!result.link) failed.push(`contains the old hash of block ${previous.index}`);
    if (result.seal === "broken") failed.push(result.isEdited ? "still carries the seal of the old message" : "seal belongs to the old blocks before it");
    else if (!result.isSealed) failed.push("has no seal, which this chain requires");
    if (!result.puzzle) {
      const cause = previous.proof === this.copy.original[at - 1]?.proof ? "" : `, because block ${previous.index} has a new proof`;
      failed.push(`puzzle not solved: ${counted(result.zeros, "zero")}, not ${this.copy.difficulty}${cause}`);
    }
    if (!result.time) failed.push("is older than the block before it");
    return failed.map((text) => element("li", "", text));
  }

  /** Searches for the proof of one block. Resolves to the number of tries, or to null if stopped. */
  async mine(at, { isPartOfRun = false } = {}) {
    const parts = this.cards[at];
    const hadFocus = parts && document.activeElement === parts.mine;
    const puzzle = this.copy.puzzle(at);
    let proof = puzzle.block.proof;
    let tries = 0;
    let seconds = 0;
    if (!puzzle.isSolved) {
      this.#showMining(parts, true);
      const report = (progress) => {
        if (parts) parts.state.textContent = `mining: ${largeNumber(progress.tries)} tries`;
        this.onProgress?.(at, progress);
      };
      report({ tries: 0, seconds: 0 });
      let found = null;
      try {
        found = await search({ text: puzzle.text, zeros: this.copy.zeros }, report);
      } finally {
        this.#showMining(parts, false);
        this.onProgress?.(at, null);
        if (!found) this.update();
      }
      if (!found) return null;
      proof = puzzle.start + found.candidate;
      ({ tries, seconds } = found);
    }
    const isShown = at < this.shown;
    const to = !isPartOfRun ? undefined : isShown ? Math.max(this.shown, at + 1) : at + 1;
    this.copy.repair(at, { ...puzzle.block, proof }, to);
    if (isShown) this.update();
    if (!isPartOfRun) {
      this.onChange?.({ at, tries, seconds });
      if (hadFocus) this.#moveFocus(at);
    }
    return { tries, seconds };
  }

  #showMining(parts, isMining) {
    if (!parts) return;
    parts.card.classList.toggle("lab-mining", isMining);
    parts.mine.disabled = isMining;
  }

  // The button that had the focus is gone: the next one, or the title of its block.
  #moveFocus(at) {
    const next = this.cards.slice(at + 1).find(({ mine }) => !mine.hidden);
    (next?.mine ?? this.cards[at].title).focus();
  }

  /**
   * Mines every broken block from left to right. `onBlock` is called after each one, with the sum of
   * tries, time and blocks.
   */
  async mineAll(onBlock) {
    const sum = { tries: 0, seconds: 0, blocks: 0 };
    const first = this.copy.firstBroken();
    if (first < 0) return;
    this.isMining = true;
    try {
      for (let at = first; at < this.copy.blocks.length; at++) {
        if (at < this.shown && this.copy.results[at].passed) continue;
        const mined = await this.mine(at, { isPartOfRun: true });
        if (!mined) break;
        sum.tries += mined.tries;
        sum.seconds += mined.seconds;
        sum.blocks++;
        onBlock?.(sum, at);
      }
    } finally {
      this.isMining = false;
      this.copy.recheck(first);
      this.update();
    }
    this.onChange?.(sum);
  }
}

/** Returns the expected time of a number of tries in this browser as text, or the tries before it is measured. */
export function expectedTime(tries) {
  const rate = hashRateHere();
  return rate === null ? `about ${largeNumber(tries)} tries` : `about ${duration(tries / rate)}`;
}

/** Returns a number of tries and, once it is measured, their expected time as text. */
export function expectedTries(tries) {
  const count = `${largeNumber(tries)} tries`;
  return hashRateHere() === null ? count : `${count}, ${expectedTime(tries)}`;
}

/** Returns the time of a run as text. Browsers measure no shorter times. */
export const runTime = (seconds) => (seconds < 1e-3 ? "under 1 ms" : duration(seconds));

/** Returns the hash rate of this browser, as text. */
export const rateText = () => (hashRateHere() === null ? "not measured yet" : hashRate(hashRateHere()));
