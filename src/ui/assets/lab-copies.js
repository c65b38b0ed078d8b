// Step 3 of the lab: three copies of a small chain, of which one is changed.

import { colourBar, commitment, countZeros, hashOf } from "./chain.js";
import { blockAfter } from "./lab-build.js";
import { ChainCopy, History } from "./lab-rules.js";
import { ChainView, counted, element } from "./lab-view.js";
import { sha256 } from "./sha256.js";

const NAMES = ["Anna", "Ben", "Carla"];
const MESSAGES = ["Ben gets 5", "Carla gets 3", "Anna gets 1"];
const DIFFICULTY = 3;
const UNDECIDED = "The hashes show that the copies disagree, not who changed something: that takes a hash that somebody kept from before.";

const get = (id) => document.getElementById(id);
const utf8 = new TextEncoder();
let views = [];

// Mines the small chain; a few thousand tries for each block take no time.
function mineBlocks(genesis) {
  const blocks = [genesis];
  let history = new History().with(genesis.hash);
  for (const [nth, message] of MESSAGES.entries()) {
    const previous = blocks.at(-1);
    const block = { ...blockAfter(genesis, message, nth + 1), previous_hash: previous.hash, history_root: history.root() };
    const start = commitment(block);
    let number = 0;
    while (countZeros(sha256(utf8.encode(`${previous.proof ?? "None"}${start}${number}`))) < DIFFICULTY) number++;
    block.proof = `${start}${number}`;
    block.hash = hashOf(block);
    history = history.with(block.hash);
    blocks.push(block);
  }
  return blocks;
}

const tipHash = (hash) => [colourBar(hash), " ", element("code", "", `${hash.slice(0, 8)}…`)];

function showTips() {
  const tips = views.map(({ copy }) => copy.tipHash());
  const broken = views.map(({ copy }) => copy.firstBroken());
  const count = (tip) => tips.filter((other, at) => other === tip && broken[at] < 0).length;
  views.forEach(({ copy }, at) => {
    const line = get(`copies-tip-${at}`);
    const isBroken = broken[at] >= 0;
    const isAlone = !isBroken && count(tips[at]) === 1;
    line.className = `lab-tip ${isBroken ? "bad" : isAlone ? "" : "good"}`;
    const isOld = isBroken && tips[at] === copy.originalTipHash();
    const text = isBroken
      ? `broken at block ${copy.blocks[broken[at]].index}${isOld ? "; this is the old tip, mine to get a new one" : ""}`
      : isAlone ? "valid, but nobody else has this tip" : `valid, the same tip as ${NAMES.filter((_, other) => other !== at && broken[other] < 0 && tips[other] === tips[at]).join(" and ")}`;
    line.replaceChildren("tip ", ...tipHash(tips[at]), ` ${text}`);
  });
  const tipOf = (name, at) => element("div", "", element("dt", "", `${name}'s tip`), element("dd", "", ...tipHash(tips[at]), broken[at] >= 0 ? " (broken)" : ""));
  get("copies-tips").replaceChildren(...NAMES.map(tipOf));
  get("copies-verdict").textContent = verdict(tips, broken);
}

function verdict(tips, broken) {
  const brokenNames = NAMES.filter((_, at) => broken[at] >= 0);
  if (brokenNames.length > 0) {
    const [name] = brokenNames;
    const copy = views[NAMES.indexOf(name)].copy;
    return `${name}'s copy breaks at block ${copy.blocks[copy.firstBroken()].index}: everyone would reject ${counted(copy.countBroken(), "block")}. Mine ${copy.countBroken() === 1 ? "it" : "them in order, the oldest first"}.`;
  }
  if (new Set(tips).size === 1) return "All three copies are valid and have the same tip hash: they hold the same history.";
  const different = NAMES.filter((_, at) => tips.filter((tip) => tip === tips[at]).length === 1);
  if (different.length === 1) return `All copies are valid, and yet ${different[0]}'s tip hash is different. ${UNDECIDED}`;
  return `All copies are valid, but their three tip hashes are different. ${UNDECIDED}`;
}

function draw(genesis) {
  const blocks = mineBlocks(genesis);
  views = NAMES.map((name, at) => {
    const copy = new ChainCopy({ blocks, difficulty: DIFFICULTY, sealedFrom: 1 });
    return new ChainView(get(`copies-${at}`), copy, { id: `copy-${at}`, label: `${name}'s copy`, rows: 1, onChange: showTips });
  });
  showTips();
}

/** Starts the step with the genesis block of this chain. */
export function startCopies(genesis) {
  draw(genesis);
  get("copies-reset").addEventListener("click", () => {
    for (const view of views) {
      view.copy.reset();
      view.update();
    }
    showTips();
  });
}
