// Step 5 of the lab: the repaired copy beside the chain that the others hold.

import { colourBar, largeNumber } from "./chain.js";
import { missingBlocks, onCopyChange, repairEffort, restCost, tampered, tamperForVisitor } from "./lab-tamper.js";
import { counted, element, expectedTime, markedDigest, runTime } from "./lab-view.js";
import { readTrusted } from "./receipt.js";

const lab = document.getElementById("lab");
const get = (id) => document.getElementById(id);
/** Owners of the original chain: the others, or this node if it stands alone. */
const others = lab.dataset.others;

/** Maximum number of rows of the comparison. */
const ROWS = 6;
/** Maximum number of characters of a message in the comparison. */
const EXCERPT = 60;

function hashCell(name, hash, message, isSame) {
  const text = [...message.replace(/\s+/g, " ")];
  const excerpt = text.length > EXCERPT ? `${text.slice(0, EXCERPT - 1).join("")}…` : text.join("");
  const cell = element("td", isSame ? "" : "lab-other", colourBar(hash), " ", element("code", "", `${hash.slice(0, 12)}…`), element("bdi", "lab-excerpt", excerpt));
  cell.dataset.name = name;
  return cell;
}

function row(copy, at) {
  const [mine, theirs] = [copy.blocks[at], copy.original[at]];
  const hash = copy.results[at].hash;
  const isSame = hash === theirs.hash;
  const heading = element("th", "", `Block ${mine.index}`);
  heading.scope = "row";
  const outcome = element("td", isSame ? "lab-same" : "lab-different", isSame ? "same" : "different");
  return element("tr", "", heading, hashCell("your copy", hash, mine.data.message, isSame), hashCell(others, theirs.hash, theirs.data.message, true), outcome);
}

function hiddenBlocks(copy, from, to) {
  const [first, last] = [copy.blocks[from].index, copy.blocks[to].index];
  return first === last ? `Block ${first} is not shown; it differs, too.` : `Blocks ${first} to ${last} are not shown; they differ, too.`;
}

function rules(copy) {
  const every = (name) => copy.results.every((result) => result[name]);
  const required = `every proof solves the puzzle with ${counted(copy.required, "zero")}`;
  const missed = copy.missedZeros();
  const zeros = missed === null ? required : `${required} (supposed: yours has only ${missed})`;
  return [
    [every("link"), "every block contains the hash of the block before it"],
    [every("puzzle"), zeros],
    [every("isSealed"), "every seal matches the content of its block and the history before it"],
    [every("time"), "every block has a later time than the block before it"],
  ];
}

function status(copy) {
  if (!copy) return ["", "The copy of step 4 is not loaded."];
  if (!copy.isChanged()) return ["", `You have not changed anything yet, so your copy and the chain of ${others} are the same. Change a message in step 4, or let the page do it.`];
  if (copy.firstBroken() >= 0) return ["bad", `Your copy is not repaired yet: ${counted(copy.countBroken(), "block")} would be rejected. Mine them in step 4, or let the page do it.`];
  if (missingBlocks() > 0) return ["bad", `Your copy is not complete: ${counted(missingBlocks(), "block")} after it still ${missingBlocks() === 1 ? "contains" : "contain"} the old hashes. Mining them again takes ${restCost(missingBlocks())}. Until they are mined, too, every node rejects the copy. Show newer blocks in step 4 to see a complete repair.`];
  const missed = copy.missedZeros();
  if (missed !== null) return ["bad", `A node of this chain rejects your copy at once: it has a proof with ${counted(missed, "zero")}, and ${copy.required} ${copy.required === 1 ? "is" : "are"} required. But suppose that somebody mines it with the puzzle of this chain. Then a check of it finds nothing wrong:`];
  return ["good", "Your copy is complete, and a check of it finds nothing wrong:"];
}

function show() {
  const copy = tampered();
  const [kind, text] = status(copy);
  const isRepaired = Boolean(copy?.isChanged()) && copy.firstBroken() < 0 && missingBlocks() === 0;
  get("verdict-status").className = `verdict ${kind}`;
  get("verdict-status").textContent = text;
  get("verdict-for-me").hidden = !copy || isRepaired;
  get("verdict-comparison").hidden = !copy?.isChanged();
  get("verdict-conclusion").hidden = !isRepaired;
  get("verdict-memory").hidden = !isRepaired;
  get("verdict-rules").hidden = !isRepaired;
  if (!copy?.isChanged()) return;

  const first = copy.results.findIndex(({ hash }, at) => hash !== copy.original[at].hash);
  const from = Math.max(0, Math.min(first - 1, copy.blocks.length - ROWS));
  const rows = copy.blocks.map((_, at) => at).slice(from, from + ROWS);
  const last = copy.blocks.length - 1;
  if (!rows.includes(last)) rows[rows.length - 1] = last;
  get("verdict-rows").replaceChildren(...rows.map((at) => row(copy, at)));
  get("verdict-skipped").textContent = rows.at(-1) - rows.at(-2) > 1 ? hiddenBlocks(copy, rows.at(-2) + 1, last - 1) : "";
  if (!isRepaired) return;

  get("verdict-rules").replaceChildren(...rules(copy).map(([, rule]) => element("li", "", rule)));
  get("verdict-mine").replaceChildren(colourBar(copy.tipHash()), " ", markedDigest(copy.tipHash(), copy.originalTipHash()));
  get("verdict-theirs").replaceChildren(colourBar(copy.originalTipHash()), " ", element("code", "lab-digits", copy.originalTipHash()));
  const effort = repairEffort();
  const work = effort?.tries ? `The repair took ${largeNumber(effort.tries)} tries and ${runTime(effort.seconds)}. ` : "";
  const missed = copy.missedZeros();
  const changed = copy.results.filter(({ hash }, at) => hash !== copy.original[at].hash).length;
  get("verdict-effort").textContent = missed === null
    ? work
    : `${work}With the ${counted(copy.required, "zero")} that this chain requires it takes ${expectedTime(changed * 16 ** copy.required)}. Such a copy has another tip hash than yours, but never the one of ${others}:`;
  get("verdict-claim").textContent = missed === null ? "Valid, and yet exposed" : "Even with all the work done, exposed";
  loadKept(copy);
}

let keptFor = null;

// The tip as it was before the change, as a class would have written it down.
async function loadKept(copy) {
  const index = copy.blocks.at(-1).index;
  if (keptFor !== index) {
    keptFor = index;
    try {
      const response = await fetch(`${lab.dataset.checkpoint}?at=${copy.originalTipHash()}`);
      get("verdict-kept").value = response.ok ? (await response.json()).checkpoint : copy.originalTipHash();
    } catch {
      get("verdict-kept").value = copy.originalTipHash();
    }
    loadTip(copy);
  }
  compareKept();
}

// While the copy was mined, the others added blocks.
async function loadTip(copy) {
  try {
    const response = await fetch(lab.dataset.tip);
    const block = await response.json();
    const ahead = block.index - copy.blocks.at(-1).index;
    get("verdict-ahead").textContent = ahead > 0 ? ` Meanwhile ${others} ${others === "this node" ? "has" : "have"} added ${counted(ahead, "block")}, so your copy is also too short.` : "";
  } catch {
    get("verdict-ahead").textContent = "";
  }
}

function compareKept() {
  const copy = tampered();
  const kept = readTrusted(get("verdict-kept").value);
  const result = get("verdict-kept-result");
  if (!copy || !kept || kept.length === 0) {
    result.className = "verdict bad";
    result.textContent = "This is neither a hash of 64 digits nor a checkpoint line.";
    return;
  }
  const [{ hash, index }] = kept;
  const inCopy = copy.results.some((each) => each.hash === hash);
  const inChain = copy.original.some((each) => each.hash === hash);
  const isBefore = index !== undefined && index < copy.blocks[0].index;
  result.className = `verdict ${inCopy === inChain ? "" : inChain ? "good" : "bad"}`;
  result.textContent = isBefore
    ? "This block is before the ones on this page. Nothing has changed there."
    : inChain && !inCopy
      ? `The chain of ${others} contains this hash. Your copy does not: it is exposed.`
      : inChain
        ? "Both contain this hash: it is older than the change, so it cannot expose it. A newer one can."
        : inCopy
          ? "Only your copy contains this hash. Nobody else has ever seen it."
          : `Neither your copy nor the chain of ${others} contains this hash on this page.`;
}

/** Starts the step. */
export function startVerdict() {
  onCopyChange(show);
  get("verdict-kept").addEventListener("input", compareKept);
  get("verdict-for-me").addEventListener("click", async () => {
    get("verdict-for-me").disabled = true;
    get("verdict-status").textContent = "Changing a message and mining the copy again…";
    try {
      await tamperForVisitor();
    } finally {
      get("verdict-for-me").disabled = false;
      show();
      // The button that had the focus is gone.
      if (get("verdict-for-me").hidden) get("verdict-title").focus({ preventScroll: true });
    }
  });
  show();
}
