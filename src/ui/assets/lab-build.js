// Step 2 of the lab: a first block, whose number the visitor and then the browser search for.

import { colourBar, commitment, countZeros, duration, hashOf, largeNumber } from "./chain.js";
import { measure, onRate, search, stop } from "./lab-miner.js";
import { History } from "./lab-rules.js";
import { counted, digestWithZeros, expectedTries, rateText, runTime } from "./lab-view.js";
import { sha256 } from "./sha256.js";

const lab = document.getElementById("lab");
const get = (id) => document.getElementById(id);
const utf8 = new TextEncoder();
const runs = new Map();

let block = null;
let start = "";
let isSearching = false;
let triesByHand = 0;
let solvedMessage = null;

const zeros = () => Number(get("build-zeros").value);
const number = () => get("build-number").value.replace(/\D/g, "") || "0";
const puzzleText = () => `None${start}`;

/** Returns a block after the genesis block, without a proof yet. */
export function blockAfter(genesis, message, at = 1) {
  const seconds = Math.max(Math.floor(Date.now() / 1000), Math.floor(Number(genesis.timestamp_text)) + 1);
  return {
    index: at,
    timestamp_text: `${seconds + at}.5`,
    proof: null,
    previous_hash: genesis.hash,
    history_root: new History().with(genesis.hash).root(),
    data: { id: sha256(utf8.encode(`${message} ${at}`)).slice(0, 32), message },
  };
}

function show() {
  const proof = start + number();
  const digest = sha256(utf8.encode(puzzleText() + number()));
  const found = countZeros(digest);
  const isSolved = found >= zeros();
  const hash = hashOf({ ...block, proof });
  get("build-seal").textContent = `${start.slice(0, 10)}…${start.slice(-4)}`;
  get("build-digest").replaceChildren(digestWithZeros(digest));
  get("build-hash").replaceChildren(colourBar(hash), " ", `${hash.slice(0, 12)}…`);
  get("build-card").classList.toggle("lab-solved", isSolved);
  get("build-by-hand").textContent = triesByHand ? `Tries by hand: ${triesByHand}` : "";
  const verdict = get("build-verdict");
  verdict.className = `verdict ${isSolved ? "good" : ""}`;
  verdict.textContent = isSolved
    ? `Solved: the digest ends with ${counted(found, "zero")}. The block is mined. Now change its message.`
    : solvedMessage !== null && solvedMessage !== block.data.message
      ? "The message is different, so the seal is different, and the number that you found no longer works."
      : `Not solved: the digest ends with ${counted(found, "zero")}, and ${zeros()} ${zeros() === 1 ? "is" : "are"} needed.`;
  if (isSolved) solvedMessage = block.data.message;
  return isSolved;
}

function seal() {
  block.data.message = get("build-message").value;
  start = commitment(block);
}

// Marks the run on the logarithmic scale of the bars.
function plot(wanted, tries) {
  const list = runs.get(wanted) ?? [];
  list.push(tries);
  runs.set(wanted, list);
  const row = lab.querySelector(`[data-zeros="${wanted}"]`);
  const mean = list.reduce((sum, each) => sum + each, 0) / list.length;
  row.querySelector(".runs").textContent = `${counted(list.length, "run")}: ${largeNumber(mean)} tries${list.length > 1 ? " on average" : ""}`;
  const svg = row.querySelector("svg");
  const mark = document.createElementNS(svg.namespaceURI, "rect");
  const x = Math.min(99, (Math.log2(tries) / 4 / 9) * 100);
  for (const [name, value] of Object.entries({ class: "run", x, width: 0.7, height: 10 })) mark.setAttribute(name, value);
  svg.append(mark);
}

function showProgress({ tries, seconds, candidate, digest, best }) {
  get("build-number").value = candidate;
  get("build-digest").replaceChildren(digestWithZeros(digest));
  get("build-tries").textContent = largeNumber(tries);
  get("build-best").textContent = counted(best, "zero");
  get("build-time").textContent = runTime(seconds);
  get("build-rate").textContent = rateText();
}

function showExpected() {
  const tries = 16 ** zeros();
  get("build-zeros-text").textContent = zeros();
  get("build-expected").textContent = expectedTries(tries);
}

async function toggleSearch() {
  if (isSearching) return stop();
  const wanted = zeros();
  isSearching = true;
  get("build-search").textContent = "Stop";
  get("build-stats").hidden = false;
  get("build-verdict").className = "verdict";
  get("build-verdict").textContent = "Searching…";
  showExpected();
  try {
    const from = Number(number()) + 1;
    const found = await search({ text: puzzleText(), zeros: wanted, from }, showProgress);
    if (found) {
      show();
      plot(wanted, found.tries);
      const ratio = found.tries / 16 ** wanted;
      const comparison = ratio < 0.3 ? "far fewer than expected" : ratio > 2 ? "far more than expected" : "about as many as expected";
      get("build-verdict").textContent =
        `Solved with ${largeNumber(found.tries)} tries in ${runTime(found.seconds)}, ${comparison}. The block is mined. Now change its message.`;
    } else show();
  } catch {
    get("build-verdict").className = "verdict bad";
    get("build-verdict").textContent = "This browser cannot run the search.";
  } finally {
    isSearching = false;
    get("build-search").textContent = "Let the computer search";
  }
  // A short run leaves the rate as it was measured while the page was loading.
  measure();
}

/** Starts the step with the genesis block of this chain. */
export function startBuild(genesis) {
  block = blockAfter(genesis, get("build-message").value);
  get("build-previous").replaceChildren(colourBar(genesis.hash), " ", `${genesis.hash.slice(0, 12)}…`);
  seal();
  get("build-message").addEventListener("input", () => {
    stop();
    seal();
    show();
  });
  get("build-number").addEventListener("input", () => {
    stop();
    triesByHand++;
    show();
  });
  get("build-next").addEventListener("click", () => {
    stop();
    triesByHand++;
    get("build-number").value = Number(number()) + 1;
    show();
  });
  get("build-zeros").addEventListener("input", () => {
    stop();
    showExpected();
    show();
  });
  get("build-search").addEventListener("click", toggleSearch);
  onRate((rate) => {
    get("build-rate").textContent = rateText();
    for (const row of lab.querySelectorAll("[data-zeros]")) {
      row.querySelector(".browser").textContent = duration(16 ** Number(row.dataset.zeros) / rate);
    }
    showExpected();
  });
  showExpected();
  show();
}
