// Step 4 of the lab: a copy of this chain that the visitor changes and mines again.

import { hashOf, largeNumber, sealOf } from "./chain.js";
import { hashRateHere, isSearching, measure, onRate, stop } from "./lab-miner.js";
import { ChainCopy, History } from "./lab-rules.js";
import { ChainView, counted, element, expectedTime, expectedTries, rateText, runTime } from "./lab-view.js";

const lab = document.getElementById("lab");
const get = (id) => document.getElementById(id);

/** Maximum number of cards, and of blocks in one request. */
const SHOWN = 6;
const PAGE = 100;
/** Maximum number of blocks after the cards that can be mined, too. */
const MAX_REST = 1000;
/** Longest time for a block at which the difficulty of the chain is preselected, in seconds. */
const PATIENCE = 30;
/** Maximum number of zeros to choose, unless the chain requires more. */
const MAX_ZEROS = 6;

const listeners = new Set();
const chainDifficulty = Number(lab.dataset.difficulty);
const sealedFrom = lab.dataset.sealedFrom === "" ? null : Number(lab.dataset.sealedFrom);
let view = null;
let tip = null;
let isChosen = false;
let effort = null;

/** Returns the copy, or null while it is loading. */
export const tampered = () => view?.copy ?? null;
/** Returns the number of blocks after the loaded ones. */
export const missingBlocks = () => (view ? tip.index - view.copy.blocks.at(-1).index : 0);
/** Returns the expected cost of mining blocks after the loaded ones, as text. */
export function restCost(blocks) {
  const { copy } = view;
  const isOpen = sealedFrom === null && sealOf(copy.original.at(-1)) === "open";
  return isOpen ? "no search, because their proofs are open" : expectedTime(blocks * 16 ** copy.zeros);
}
/** Returns tries and seconds of the repair of the copy. */
export const repairEffort = () => effort;
/** Calls the listener after every change of the copy. */
export const onCopyChange = (listener) => listeners.add(listener);

async function load(from, limit) {
  const response = await fetch(`${lab.dataset.raw}?from=${from}&limit=${limit}`);
  if (!response.ok) throw new Error(`The node returned status ${response.status}.`);
  return response.json();
}

// The blocks, and the tree before them that seals commit to.
async function loadCopy() {
  const { before, blocks, tip: newest } = await load(lab.dataset.from, SHOWN);
  tip = newest;
  const history = before === null ? new History() : History.fromPath(before.block.index, before.path).with(before.block.hash);
  const copy = new ChainCopy({ blocks, previous: before?.block ?? null, history, difficulty: chainDifficulty, sealedFrom });
  const isConsistent = copy.results.every(({ passed, hash }, at) => passed && hash === blocks[at].hash);
  if (!isConsistent || (before && hashOf(before.block) !== before.block.hash)) {
    throw new Error("The blocks do not fit together. The chain may be changing: load the page again.");
  }
  return copy;
}

function describe() {
  const { copy } = view;
  const at = copy.firstBroken();
  const text = get("tamper-verdict");
  const broken = copy.countBroken();
  get("tamper-mine-all").disabled = at < 0;
  get("tamper-reset").disabled = !copy.isChanged() && at < 0;
  text.className = `verdict ${at < 0 ? "good" : "bad"}`;
  if (at >= 0) {
    const order = broken === 1 ? "Mine it." : "Mine them in order, the oldest first.";
    text.textContent = `A node would reject this copy at block ${copy.blocks[at].index}. ${broken === 1 ? "1 block is" : `${broken} blocks are`} broken. ${order}`;
  } else if (!copy.isChanged()) {
    text.textContent = "The copy is valid and identical to the chain of the node. Change a message.";
  } else if (missingBlocks() > 0) {
    text.textContent = `These blocks are valid again, but the ${counted(missingBlocks(), "block")} after them still ${missingBlocks() === 1 ? "contains the old hash" : "contain the old hashes"}.`;
    get("tamper-mine-all").disabled = missingBlocks() > MAX_REST;
  } else {
    const cost = effort && effort.tries ? ` The repair took ${largeNumber(effort.tries)} tries and ${runTime(effort.seconds)}.` : " Nothing had to be searched, because these proofs are open: they do not commit to their message.";
    const next = element("a", "", "Compare it with the original in step 5");
    next.href = "#verdict";
    const missed = copy.missedZeros();
    if (missed === null) text.replaceChildren(`The copy is valid again by every rule.${cost} Has the forgery succeeded? `, next);
    else {
      const required = `${copy.required} ${copy.required === 1 ? "is" : "are"}`;
      text.className = "verdict bad";
      text.replaceChildren(`Every puzzle is solved, but too easily: a node of this chain rejects a proof with ${counted(missed, "zero")} at once, because ${required} required.${cost} Choose the puzzle of this chain and mine again, or suppose that somebody has done so. `, next);
    }
  }
  describeRest();
}

function describeRest() {
  const { copy } = view;
  const rest = tip.index - copy.blocks[view.shown - 1].index;
  const card = get("tamper-rest");
  card.hidden = rest === 0;
  if (rest === 0) return;
  const first = copy.blocks[view.shown - 1].index + 1;
  const cost = `${counted(rest, "more block")} must be mined, too: ${restCost(rest)}.`;
  const broken = copy.results.slice(view.shown).filter(({ passed }) => !passed).length;
  const isTorn = copy.isChanged();
  card.classList.toggle("lab-broken", isTorn && (missingBlocks() > 0 || broken > 0));
  const title = element("h3", "", rest === 1 ? `Block ${first}` : `Blocks ${first} to ${tip.index}`);
  const state = !isTorn ? "valid" : missingBlocks() > 0 || broken > 0 ? "✕ broken" : copy.missedZeros() === null ? "✓ valid again" : "mined, but too easily";
  const explanation = !isTorn
    ? `${counted(rest, "more block")}, up to the tip. All of them depend on the blocks before them.`
    : state !== "✕ broken"
      ? `${counted(rest, "more block")}, up to the tip. ${rest === 1 ? "It was" : "They were"} mined again, too.`
      : missingBlocks() > MAX_REST
        ? `${cost} This page mines at most ${MAX_REST.toLocaleString("en-US")} of them. Show newer blocks to repair a whole copy.`
        : `${cost} Mine all includes them.`;
  card.replaceChildren(element("div", "lab-head", title, element("span", "lab-state", state)), element("p", "", explanation));
}

function changed(mined) {
  const { copy } = view;
  if (!copy.isChanged()) effort = null;
  else if (mined) effort = { tries: (effort?.tries ?? 0) + mined.tries, seconds: (effort?.seconds ?? 0) + mined.seconds };
  describe();
  for (const listener of listeners) listener();
  // The search replaced the measurement of the rate that runs while the page is loading.
  if (mined && hashRateHere() === null) measure();
}

let done = { tries: 0, seconds: 0, blocks: 0 };
let total = 1;

function showExpected() {
  const expected = 16 ** view.copy.zeros;
  get("tamper-rate").textContent = rateText();
  get("tamper-expected").textContent = expectedTries(expected);
}

// Without progress, the search has ended.
function showProgress(at, progress) {
  const button = get("tamper-mine-all");
  if (!progress) {
    if (!view.isMining) button.textContent = "Mine all";
    return;
  }
  const { tries, seconds } = progress;
  button.textContent = "Stop";
  get("tamper-block").textContent = `${view.copy.blocks[at].index} (${done.blocks + 1} of ${total})`;
  get("tamper-tries").textContent = largeNumber((effort?.tries ?? 0) + done.tries + tries);
  showExpected();
  get("tamper-time").textContent = runTime((effort?.seconds ?? 0) + done.seconds + seconds);
}

let isLoading = false;

async function mineAll() {
  if (isSearching()) return stop();
  if (isLoading || view.isMining) return;
  const button = get("tamper-mine-all");
  const { copy } = view;
  isLoading = true;
  try {
    if (missingBlocks() > 0 && missingBlocks() <= MAX_REST) get("tamper-verdict").textContent = "Loading the blocks after these…";
    while (missingBlocks() > 0 && missingBlocks() <= MAX_REST) {
      const { blocks } = await load(copy.blocks.at(-1).index + 1, PAGE);
      if (blocks.length === 0 || blocks[0].previous_hash !== copy.originalTipHash()) throw new Error("The chain has changed. Load the page again.");
      copy.extend(blocks);
    }
    isLoading = false;
    done = { tries: 0, seconds: 0, blocks: 0 };
    total = copy.blocks.length - copy.firstBroken();
    await view.mineAll((sum) => (done = { ...sum }));
  } catch (error) {
    get("tamper-verdict").className = "verdict bad";
    get("tamper-verdict").textContent = error.message;
    return;
  } finally {
    isLoading = false;
    done = { tries: 0, seconds: 0, blocks: 0 };
    total = 1;
    button.textContent = "Mine all";
  }
  describe();
}

/** Changes a message and repairs the copy, for a visitor who starts at the conclusion. */
export async function tamperForVisitor() {
  if (!view) return;
  const { copy } = view;
  if (!copy.isChanged()) {
    const editable = view.cards.findIndex(({ field }) => field?.disabled === false);
    const at = editable < 0 ? copy.blocks.length - 1 : editable;
    copy.edit(at, `${copy.blocks[at].data.message} (changed)`);
    view.update();
    changed();
  }
  await mineAll();
}

function fillDifficulties() {
  const select = get("tamper-zeros");
  const feasible = (zeros) => 16 ** zeros / (hashRateHere() ?? 5e5) <= PATIENCE;
  if (!isChosen) {
    let zeros = chainDifficulty;
    while (zeros > 1 && !feasible(zeros)) zeros--;
    setDifficulty(zeros);
  }
  select.replaceChildren(...Array.from({ length: Math.max(chainDifficulty, MAX_ZEROS) }, (_, nth) => {
    const zeros = nth + 1;
    const name = zeros === chainDifficulty ? `${counted(zeros, "zero")}, as on this chain` : counted(zeros, "zero");
    const option = element("option", "", `${name}: ${expectedTime(16 ** zeros)} for a block`);
    option.value = zeros;
    option.selected = zeros === view.copy.zeros;
    return option;
  }));
}

function setDifficulty(zeros) {
  if (zeros === view.copy.zeros) return;
  view.copy.zeros = zeros;
  view.copy.difficulty = Math.min(zeros, chainDifficulty);
  view.copy.recheck(0);
  view.update();
  showExpected();
  changed();
}

/** Starts the step. */
export async function startTamper() {
  const loading = get("tamper-loading");
  loading.hidden = false;
  let copy;
  try {
    copy = await loadCopy().catch(loadCopy);
  } catch (error) {
    loading.textContent = `The blocks could not be loaded. ${error.message}`;
    return;
  }
  if (tip.index === 0) {
    loading.textContent = "The chain has only its genesis block. Add some messages first.";
    return;
  }
  loading.hidden = true;
  get("tamper-tools").hidden = false;
  view = new ChainView(get("tamper-blocks"), copy, { id: "tamper", label: "your copy", shown: SHOWN, onChange: changed, onProgress: showProgress });
  const rest = element("li", "lab-block lab-rest");
  rest.id = "tamper-rest";
  view.list.append(rest);
  get("tamper-mine-all").addEventListener("click", mineAll);
  get("tamper-reset").addEventListener("click", () => {
    stop();
    view.copy.reset();
    view.update();
    changed();
  });
  get("tamper-zeros").addEventListener("change", (event) => {
    stop();
    isChosen = true;
    setDifficulty(Number(event.target.value));
  });
  let isFilled = false;
  onRate(() => {
    showExpected();
    // An open list of options must not change under the pointer.
    if (isFilled && document.activeElement === get("tamper-zeros")) return;
    isFilled = true;
    fillDifficulties();
    describeRest();
  });
  if (!isFilled) fillDifficulties();
  changed();
}
