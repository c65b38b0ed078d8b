// A web worker that searches for a proof and reports its progress.

import { compress, hex, initialState, pad } from "./sha256.js";

/** Time between two reports in milliseconds. */
const REPORT_INTERVAL = 80;

onmessage = ({ data: { previousProof, zeros, from } }) => {
  const prefix = new TextEncoder().encode(previousProof);
  const aligned = Math.floor(prefix.length / 64) * 64;
  const start = initialState();
  for (let offset = 0; offset < aligned; offset += 64) compress(start, prefix, offset);
  const tail = prefix.subarray(aligned);
  const bytes = new Uint8Array(192);
  bytes.set(tail);
  const state = initialState();

  const hash = (candidate) => {
    const digits = String(candidate);
    let end = tail.length;
    for (let at = 0; at < digits.length; at++) bytes[end++] = digits.charCodeAt(at);
    const total = pad(bytes, end, aligned + end);
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
  const round = () => {
    const until = performance.now() + REPORT_INTERVAL;
    do {
      for (let step = 0; step < 500; step++) {
        hash(next);
        const found = trailingZeros();
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
