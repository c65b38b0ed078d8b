// Runs searches in a web worker and measures the hash rate of this browser.

import { measuredRate } from "./lab-rules.js";

/** A number of zeros that no search finds, to measure the rate. */
const UNREACHABLE = 64;

let worker = null;
let job = 0;
let active = null;
let rate = null;
const listeners = new Set();

/** Calls the listener with the hash rate of this browser, now if it is known and after each measurement. */
export function onRate(listener) {
  listeners.add(listener);
  if (rate !== null) listener(rate);
}

/** Returns the hash rate of this browser, or null before the first long run. */
export const hashRateHere = () => rate;

function record(tries, seconds) {
  const measured = measuredRate(tries, seconds);
  if (measured === null) return;
  rate = measured;
  for (const listener of listeners) listener(rate);
}

function finish(outcome) {
  const { resolve } = active;
  active = null;
  resolve(outcome);
}

function receive({ data }) {
  if (!active || data.id !== job) return;
  record(data.tries, data.seconds);
  active.onProgress?.(data);
  // The progress handler may have stopped the search.
  if (active && data.id === job && data.solved) finish(data);
}

/** Returns `true` while a search is running. A measurement is not one: any search replaces it. */
export const isSearching = () => active !== null && !active.isMeasurement;

/** Stops the running search; its promise resolves to null. */
export function stop() {
  if (!active) return;
  job++;
  worker.postMessage({ id: job });
  finish(null);
}

/**
 * Searches for a number that makes the digest of `text` and the number end with `zeros` zeros.
 * Resolves to the last report, or to null if the search was stopped. A new search stops the old one.
 */
export function search({ text, zeros, from = 0, isMeasurement = false }, onProgress) {
  stop();
  return new Promise((resolve, reject) => {
    if (!worker) {
      worker = new Worker(new URL("./solver.js", import.meta.url), { type: "module" });
      worker.onmessage = receive;
      worker.onerror = () => {
        worker = null;
        active?.reject(new Error("this browser cannot run the search"));
        active = null;
      };
    }
    active = { resolve, reject, onProgress, isMeasurement };
    job++;
    worker.postMessage({ id: job, text, zeros, from });
  });
}

/** Measures the hash rate with a short search for nothing. */
export async function measure() {
  if (active) return;
  await search({ text: "a".repeat(150), zeros: UNREACHABLE, isMeasurement: true }, ({ tries, seconds }) => {
    if (measuredRate(tries, seconds) !== null) stop();
  });
}
