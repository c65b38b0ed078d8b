// The lab: shows one step at a time and starts the experiments.

import { startBuild } from "./lab-build.js";
import { startCopies } from "./lab-copies.js";
import { startHash } from "./lab-hash.js";
import { measure, stop } from "./lab-miner.js";
import { startTamper } from "./lab-tamper.js";
import { startVerdict } from "./lab-verdict.js";

const lab = document.getElementById("lab");
const root = document.documentElement;
const steps = [...lab.querySelectorAll(".lab-step")];
const links = [...lab.querySelectorAll(".lab-steps a")];

function current() {
  const named = steps.find(({ id }) => `#${id}` === location.hash);
  return named ?? (lab.dataset.given === "true" ? document.getElementById("tamper") : steps[0]);
}

function show(isMove) {
  const step = current();
  lab.dataset.step = step.id;
  for (const other of steps) other.hidden = other !== step;
  for (const link of links) {
    if (link.hash === `#${step.id}`) link.setAttribute("aria-current", "step");
    else link.removeAttribute("aria-current");
  }
  if (!isMove) return;
  stop();
  scrollTo(0, 0);
  step.querySelector("h2").focus({ preventScroll: true });
}

// Steps 2 and 3 build on the genesis block of this chain.
async function loadGenesis() {
  try {
    const response = await fetch(lab.dataset.genesis);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.json();
  } catch {
    for (const part of lab.querySelectorAll("[data-needs-genesis]")) {
      part.textContent = "The genesis block could not be loaded. Load the page again.";
    }
    return null;
  }
}

// A projector shows the experiments first. The explanations open with a click.
function fold() {
  const isPresented = root.dataset.present === "on";
  for (const intro of lab.querySelectorAll(".lab-intro")) intro.open = !isPresented;
}

async function start() {
  for (const part of lab.querySelectorAll("[data-scripted]")) part.hidden = false;
  show(false);
  addEventListener("hashchange", () => show(true));
  fold();
  new MutationObserver(fold).observe(root, { attributeFilter: ["data-present"] });
  startHash();
  startVerdict();
  const tampering = startTamper();
  const genesis = await loadGenesis();
  if (genesis) {
    startBuild(genesis);
    startCopies(genesis);
  }
  await tampering;
  await measure();
}

start();
