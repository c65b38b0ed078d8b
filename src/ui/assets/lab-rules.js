// A copy of a part of the chain, checked as a node checks it, and the puzzles that repair it. Nothing
// here touches the page.

import { commitment, countZeros, hashOf, puzzleDigest, sealOf } from "./chain.js";
import { sha256 } from "./sha256.js";

/** Shorter runs say nothing about the rate: much of their time is not spent on hashing. */
const MIN_MEASURED_TRIES = 50_000;
const MIN_MEASURED_SECONDS = 0.2;

/** Returns the hash rate of a run, or null if the run was too short to measure it. */
export const measuredRate = (tries, seconds) => (tries >= MIN_MEASURED_TRIES && seconds >= MIN_MEASURED_SECONDS ? tries / seconds : null);

const fromHex = (digits) => digits.match(/../g).map((pair) => parseInt(pair, 16));
const parentOf = (left, right) => sha256(Uint8Array.from([1, ...fromHex(left), ...fromHex(right)]));

/** The tree over all block hashes of a chain, reduced to the roots of its complete subtrees. */
export class History {
  #peaks;

  constructor(peaks = []) {
    this.#peaks = peaks;
  }

  /** Rebuilds the tree over `count` blocks from the inclusion path of the block after them. */
  static fromPath(count, path) {
    const peaks = [];
    for (let size = 1, rest = [...path]; size <= count; size *= 2) {
      if (Math.floor(count / size) % 2 === 1) peaks.unshift({ size, hash: rest.shift() });
    }
    return new History(peaks);
  }

  /** Returns the tree with one more block. */
  with(hash) {
    const peaks = [...this.#peaks];
    let last = { size: 1, hash: sha256(Uint8Array.from([0, ...fromHex(hash)])) };
    while (peaks.at(-1)?.size === last.size) {
      last = { size: 2 * last.size, hash: parentOf(peaks.pop().hash, last.hash) };
    }
    return new History([...peaks, last]);
  }

  root() {
    if (this.#peaks.length === 0) return sha256(new Uint8Array(0));
    return this.#peaks.map(({ hash }) => hash).reduceRight((right, left) => parentOf(left, right));
  }
}

const clone = (block) => ({ ...block, data: { ...block.data } });

/** An editable copy of consecutive blocks. */
export class ChainCopy {
  /**
   * `previous` is the block before the first one and null if that is the genesis block; `history` is
   * the tree over all blocks before the first one.
   */
  constructor({ blocks, previous = null, history = new History(), difficulty, sealedFrom }) {
    this.original = blocks;
    this.blocks = blocks.map(clone);
    this.previous = previous;
    this.histories = [history];
    // A node requires `required` zeros. The checks here require `difficulty`, which the visitor may lower,
    // and new proofs get `zeros`, which may be more.
    this.required = difficulty;
    this.difficulty = difficulty;
    this.zeros = difficulty;
    this.sealedFrom = sealedFrom;
    this.results = [];
    this.recheck(0);
  }

  /** Appends the blocks that follow. */
  extend(blocks) {
    const from = this.blocks.length;
    this.original = [...this.original, ...blocks];
    this.blocks.push(...blocks.map(clone));
    this.recheck(from);
  }

  reset() {
    this.blocks = this.original.map(clone);
    this.recheck(0);
  }

  before(at) {
    return at > 0 ? this.blocks[at - 1] : this.previous;
  }

  /** Checks the blocks from one position to another again. */
  recheck(from, to = this.blocks.length) {
    for (let at = from; at < to; at++) {
      this.results[at] = this.#check(at);
      this.histories[at + 1] = this.histories[at].with(this.results[at].hash);
    }
  }

  #check(at) {
    const block = this.blocks[at];
    const previous = this.before(at);
    block.history_root = this.histories[at].root();
    const hash = hashOf(block);
    const isEdited = block.data.message !== this.original[at].data.message;
    if (!previous) return { hash, isEdited, link: true, zeros: null, puzzle: true, seal: null, isSealed: true, time: true, passed: true };
    const link = block.previous_hash === (at > 0 ? this.results[at - 1].hash : hashOf(previous));
    const zeros = countZeros(puzzleDigest(previous.proof, block.proof));
    const puzzle = zeros >= this.difficulty;
    const seal = sealOf(block);
    const isSealed = seal === "sealed" || (seal === "open" && !this.#mustBeSealed(block));
    const time = Number(block.timestamp_text) > Number(previous.timestamp_text);
    return { hash, isEdited, link, zeros, puzzle, seal, isSealed, time, passed: link && puzzle && isSealed && time };
  }

  #mustBeSealed(block) {
    return this.sealedFrom !== null && block.index >= this.sealedFrom;
  }

  edit(at, message) {
    this.blocks[at].data.message = message;
    this.recheck(at);
  }

  /** Returns the position of the first block that a node would reject, or -1. */
  firstBroken() {
    return this.results.findIndex(({ passed }) => !passed);
  }

  /** Returns the smallest number of zeros of a proof that a node would reject, or null. */
  missedZeros() {
    const counts = this.results.map(({ zeros }) => zeros).filter((zeros) => zeros !== null && zeros < this.required);
    return counts.length > 0 ? Math.min(...counts) : null;
  }

  countBroken() {
    return this.results.filter(({ passed }) => !passed).length;
  }

  isChanged() {
    return this.results.some(({ hash }, at) => hash !== this.original[at].hash);
  }

  tipHash() {
    return this.results.at(-1).hash;
  }

  originalTipHash() {
    return this.original.at(-1).hash;
  }

  /**
   * Returns what has to be solved to make a block valid after the block before it: the block with its
   * new link, the start of its proof, and the text that the puzzle hashes before the number.
   * `isSolved` if the old proof is open and still fits: then nothing has to be searched.
   */
  puzzle(at) {
    const previous = this.before(at);
    const linked = { ...this.blocks[at], previous_hash: hashOf(previous), history_root: this.histories[at].root() };
    const isOpen = sealOf(this.original[at]) === "open" && !this.#mustBeSealed(linked);
    const isSolved = isOpen && countZeros(puzzleDigest(previous.proof, linked.proof)) >= this.difficulty;
    const start = isOpen ? "" : commitment(linked);
    return { block: linked, start, text: `${previous.proof ?? "None"}${start}`, isSolved };
  }

  /** Puts a repaired block in its place and checks up to position `to`. */
  repair(at, block, to = this.blocks.length) {
    this.blocks[at] = block;
    this.recheck(at, to);
  }
}
