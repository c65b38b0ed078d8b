// Searches for a proof beside the page, and says how far it is.

import { compress, fresh, hex, pad } from "./sha256.js";

/** How long to search between two reports, in milliseconds. */
const REPORT = 80;

onmessage = ({ data: { last, zeros, from } }) => {
  const prefix = new TextEncoder().encode(last);
  const whole = Math.floor(prefix.length / 64) * 64;
  const start = fresh();
  for (let offset = 0; offset < whole; offset += 64) compress(start, prefix, offset);
  const tail = prefix.subarray(whole);
  const bytes = new Uint8Array(192);
  bytes.set(tail);
  const state = fresh();

  const hash = (candidate) => {
    const digits = String(candidate);
    let end = tail.length;
    for (let at = 0; at < digits.length; at++) bytes[end++] = digits.charCodeAt(at);
    const total = pad(bytes, end, whole + end);
    state.set(start);
    for (let offset = 0; offset < total; offset += 64) compress(state, bytes, offset);
  };
  const ending = () => {
    let count = 0;
    for (let word = 7; word >= 0; word--) {
      if (state[word] !== 0) return count + ((31 - Math.clz32(state[word] & -state[word])) >> 2);
      count += 8;
    }
    return count;
  };

  let best = 0;
  let next = from;
  const round = () => {
    const until = performance.now() + REPORT;
    do {
      for (let step = 0; step < 500; step++) {
        hash(next);
        const found = ending();
        best = Math.max(best, found);
        if (found >= zeros) {
          postMessage({ tries: next - from + 1, candidate: next, digest: hex(state), best, solved: true });
          return;
        }
        next++;
      }
    } while (performance.now() < until);
    postMessage({ tries: next - from, candidate: next - 1, digest: hex(state), best, solved: false });
    setTimeout(round);
  };
  round();
};
