// The first experiment: solve the puzzle and see what one more zero costs.

import { duration, large, rate, zeros as zerosOf } from "./chain.js";

const lab = document.getElementById("puzzle");
const get = (id) => document.getElementById(id);
const slider = get("zeros");
const button = get("solve");
const runs = new Map();

let worker = null;
let from = 0;

function write(digest) {
  const count = zerosOf(digest);
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
  get("trial").textContent = `${run.last.length > 24 ? `…${run.last.slice(-16)}` : run.last} ${candidate}`;
  write(digest);
  get("tries").textContent = large(tries);
  get("best").textContent = `${best} zero${best === 1 ? "" : "s"}`;
  if (seconds > 0.05) {
    get("speed").textContent = rate(speed);
    for (const row of lab.querySelectorAll("[data-zeros]")) {
      row.querySelector(".browser").textContent = duration(16 ** Number(row.dataset.zeros) / speed);
    }
  }
  if (!solved) return;
  from = candidate + 1;
  stop();
  const ratio = tries / 16 ** run.zeros;
  const luck = ratio < 0.3 ? "you were lucky" : ratio > 2 ? "you were unlucky" : "about as expected";
  get("solved").className = "verdict good";
  get("solved").textContent =
    `Solved: ${candidate} is a proof for ${run.zeros} zero${run.zeros === 1 ? "" : "s"}, found with ${large(tries)} tries in ${duration(seconds)}; ${luck}. Once more starts behind it.`;
  const list = runs.get(run.zeros) ?? [];
  list.push(tries);
  runs.set(run.zeros, list);
  plot(run.zeros, list);
}

// Each run is a mark on the bar of its zeros, on the scale of the bars.
function plot(zeros, list) {
  const row = lab.querySelector(`[data-zeros="${zeros}"]`);
  const mean = list.reduce((sum, tries) => sum + tries, 0) / list.length;
  row.querySelector(".runs").textContent = `${list.length}: ${large(mean)} on average`;
  const svg = row.querySelector("svg");
  const one = document.createElementNS(svg.namespaceURI, "rect");
  const place = Math.min(99, (Math.log2(list.at(-1)) / 4 / 9) * 100);
  for (const [name, value] of Object.entries({ class: "run", x: place, width: 0.7, height: 10 })) {
    one.setAttribute(name, value);
  }
  svg.append(one);
}

function start() {
  const run = { zeros: Number(slider.value), last: lab.dataset.last, begin: performance.now() };
  get("screen").hidden = false;
  get("solved").textContent = "";
  get("expected").textContent = large(16 ** run.zeros);
  slider.disabled = true;
  button.textContent = "Stop";
  worker = new Worker(new URL("./solver.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => report(run, data);
  worker.onerror = () => {
    stop();
    get("solved").className = "verdict bad";
    get("solved").textContent = "This browser cannot run the search.";
  };
  worker.postMessage({ last: run.last, zeros: run.zeros, from });
}

slider.addEventListener("input", () => (get("zeros-text").textContent = slider.value));
button.addEventListener("click", () => (worker ? stop() : start()));
lab.querySelector(".controls").hidden = false;
