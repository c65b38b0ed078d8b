// The first lab experiment: solves the puzzle and shows the cost of each additional zero.

import { countZeros, duration, hashRate, largeNumber } from "./chain.js";

const lab = document.getElementById("puzzle");
const get = (id) => document.getElementById(id);
const slider = get("zeros");
const button = get("solve");
const triesByZeros = new Map();

let worker = null;
let from = 0;

function showDigest(digest) {
  const count = countZeros(digest);
  const code = get("result");
  const end = document.createElement("b");
  end.className = "zeros";
  end.textContent = digest.slice(digest.length - count);
  code.replaceChildren(digest.slice(0, digest.length - count), ...(count ? [end] : []));
}

function stop() {
  worker?.terminate();
  worker = null;
  button.textContent = "Start";
  slider.disabled = false;
}

function report(run, { tries, candidate, digest, best, solved }) {
  const seconds = (performance.now() - run.begin) / 1000;
  const speed = tries / seconds;
  get("trial").textContent = `${run.tipProof.length > 24 ? `…${run.tipProof.slice(-16)}` : run.tipProof} ${candidate}`;
  showDigest(digest);
  get("tries").textContent = largeNumber(tries);
  get("best").textContent = `${best} zero${best === 1 ? "" : "s"}`;
  if (seconds > 0.05) {
    get("speed").textContent = hashRate(speed);
    for (const row of lab.querySelectorAll("[data-zeros]")) {
      row.querySelector(".browser").textContent = duration(16 ** Number(row.dataset.zeros) / speed);
    }
  }
  if (!solved) return;
  from = candidate + 1;
  stop();
  const ratio = tries / 16 ** run.zeros;
  const comparison = ratio < 0.3 ? "far fewer than expected" : ratio > 2 ? "far more than expected" : "about as many as expected";
  get("solved").className = "verdict good";
  get("solved").textContent =
    `Solved: ${candidate} is a proof for ${run.zeros} zero${run.zeros === 1 ? "" : "s"}, found in ${duration(seconds)} with ${largeNumber(tries)} tries, ${comparison}. The next run continues after this number.`;
  const list = triesByZeros.get(run.zeros) ?? [];
  list.push(tries);
  triesByZeros.set(run.zeros, list);
  plot(run.zeros, list);
}

// Marks the run on the logarithmic scale of the bars.
function plot(zeros, list) {
  const row = lab.querySelector(`[data-zeros="${zeros}"]`);
  const mean = list.reduce((sum, tries) => sum + tries, 0) / list.length;
  row.querySelector(".runs").textContent = `${list.length}: ${largeNumber(mean)} on average`;
  const svg = row.querySelector("svg");
  const mark = document.createElementNS(svg.namespaceURI, "rect");
  const x = Math.min(99, (Math.log2(list.at(-1)) / 4 / 9) * 100);
  for (const [name, value] of Object.entries({ class: "run", x, width: 0.7, height: 10 })) {
    mark.setAttribute(name, value);
  }
  svg.append(mark);
}

function start() {
  const run = { zeros: Number(slider.value), tipProof: lab.dataset.tipProof, begin: performance.now() };
  get("screen").hidden = false;
  get("solved").textContent = "";
  get("expected").textContent = largeNumber(16 ** run.zeros);
  slider.disabled = true;
  button.textContent = "Stop";
  worker = new Worker(new URL("./solver.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => report(run, data);
  worker.onerror = () => {
    stop();
    get("solved").className = "verdict bad";
    get("solved").textContent = "This browser cannot run the search.";
  };
  worker.postMessage({ previousProof: run.tipProof, zeros: run.zeros, from });
}

slider.addEventListener("input", () => (get("zeros-text").textContent = slider.value));
button.addEventListener("click", () => (worker ? stop() : start()));
lab.querySelector(".controls").hidden = false;
