// A web worker that searches for the number at the end of a text whose digest ends with enough zeros.
// It works on one search at a time; another message replaces or stops the search.

import { compress, hex, initialState, pad } from "./sha256.js";

/** Time between two reports in milliseconds. */
const REPORT_INTERVAL = 80;

const NINE = 57;
const ZERO = 48;

let current = 0;

onmessage = ({ data }) => {
  current = data.id;
  if (data.text !== undefined) search(data);
};

function search({ id, text, zeros, from }) {
  const prefix = new TextEncoder().encode(text);
  const aligned = Math.floor(prefix.length / 64) * 64;
  const start = initialState();
  for (let offset = 0; offset < aligned; offset += 64) compress(start, prefix, offset);
  const tail = prefix.subarray(aligned);
  const bytes = new Uint8Array(192);
  const state = initialState();
  let end = 0;
  let total = 0;

  // Writes a candidate and the padding after it.
  const write = (candidate) => {
    bytes.set(tail);
    end = tail.length;
    for (const digit of String(candidate)) bytes[end++] = digit.charCodeAt(0);
    total = pad(bytes, end, aligned + end);
  };
  // Counts up in place; only a carry into a new digit moves the padding.
  const advance = (next) => {
    let at = end - 1;
    while (at >= tail.length && bytes[at] === NINE) bytes[at--] = ZERO;
    if (at < tail.length) write(next);
    else bytes[at]++;
  };
  const hash = () => {
    state.set(start);
    for (let offset = 0; offset < total; offset += 64) compress(state, bytes, offset);
  };
  const trailingZeros = () => {
    let count = 0;
    for (let word = 7; word >= 0; word--) {
      if (state[word] !== 0) return count + ((31 - Math.clz32(state[word] & -state[word])) >> 2);
      count += 8;
    }
    return count;
  };

  let best = 0;
  let next = from;
  let begin = performance.now();
  const report = (tries, candidate, solved) => {
    const seconds = (performance.now() - begin) / 1000;
    postMessage({ id, tries, seconds, candidate, digest: hex(state), best, solved });
  };
  const round = () => {
    if (id !== current) return;
    const until = performance.now() + REPORT_INTERVAL;
    do {
      for (let step = 0; step < 500; step++) {
        hash();
        const found = trailingZeros();
        if (found > best) best = found;
        if (found >= zeros) {
          report(next - from + 1, next, true);
          return;
        }
        next++;
        advance(next);
      }
    } while (performance.now() < until);
    report(next - from, next - 1, false);
    setTimeout(round);
  };
  write(next);
  round();
}
