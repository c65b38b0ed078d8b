// Keeps a page fresh. The server renders everything: when something happens, the page is asked for
// again and the parts marked as live are exchanged.

const base = document.documentElement.dataset.base;
const news = document.getElementById("news");
const lost = document.getElementById("lost");
const live = document.getElementById("live");

const POLL = 4000;
const LEAST = 700;

// Ages, in the words of the server.
function brief(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400).toLocaleString("en-US")} days`;
}

function age() {
  const now = Date.now() / 1000;
  for (const time of document.querySelectorAll("time.when")) {
    const seconds = now - Number(time.dataset.seconds);
    const text = brief(Math.abs(seconds));
    const said = text === "now" ? text : seconds < 0 ? `in ${text}` : `${text} ago`;
    if (time.textContent !== said) time.textContent = said;
  }
}

// Copies a text; on plain HTTP browsers keep their clipboard to themselves, but not the old way.
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
}

function addCopyButtons(root) {
  for (const field of root.querySelectorAll("[data-copy], [data-copy-message]")) {
    const name = field.previousElementSibling?.textContent ?? "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the ${name}`);
    button.addEventListener("click", async () => {
      try {
        const { copy: text, copyMessage: from } = field.dataset;
        await copy(from ? (await (await fetch(from)).json()).data.message : text);
        button.textContent = "Copied";
        news.textContent = `Copied: ${name}`;
      } catch {
        button.textContent = "Not copied";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    field.append(button);
  }
}

// A hash under the pointer or focus shows all its equals.
function mark(event) {
  const hash = event.target.closest?.(".hash")?.title;
  for (const other of document.querySelectorAll(".hash")) {
    other.classList.toggle("same", Boolean(hash) && other.title === hash && event.type !== "pointerout");
  }
}

const withoutAges = (element) => {
  const copy = element.cloneNode(true);
  for (const time of copy.querySelectorAll("time.when, button.copy")) time.remove();
  return copy.innerHTML;
};

// What a person is doing in a part must not be lost with it.
function exchange(old, fresh) {
  if (withoutAges(old) === withoutAges(fresh)) return false;
  const selection = getSelection();
  if (!selection.isCollapsed && old.contains(selection.anchorNode)) return false;
  const focus = old.contains(document.activeElement) ? document.activeElement : null;
  const open = [...old.querySelectorAll("details")].map((details) => details.open);
  const known = new Set([...old.querySelectorAll("[data-key]")].map((item) => item.dataset.key));
  for (const item of fresh.querySelectorAll("[data-key]")) {
    item.classList.toggle("fresh", !known.has(item.dataset.key));
  }
  const scrolled = old.querySelector(".strip")?.scrollLeft;
  old.replaceWith(fresh);
  fresh.querySelectorAll("details").forEach((details, at) => (details.open = open[at] ?? false));
  if (scrolled) fresh.querySelector(".strip").scrollLeft = scrolled;
  if (focus) {
    const same = [...fresh.querySelectorAll(focus.tagName)].find(
      (other) => other.getAttribute("href") === focus.getAttribute("href") && other.textContent === focus.textContent,
    );
    same?.focus({ preventScroll: true });
  }
  addCopyButtons(fresh);
  return true;
}

let asking = false;
let again = false;
let last = 0;
let timer = 0;

async function refresh() {
  if (asking || document.hidden) {
    again = true;
    return;
  }
  asking = true;
  again = false;
  last = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.status >= 500) throw new Error("the node does not answer");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    lost.hidden = true;
    if (answer.ok) {
      for (const old of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(old.id);
        if (fresh) exchange(old, document.adoptNode(fresh));
      }
      age();
    }
  } catch {
    lost.hidden = false;
  } finally {
    asking = false;
    if (again) soon();
  }
}

// Many things happen at once when many messages are mined; a page need not show each.
function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(60, last + LEAST - Date.now()));
}

function show(state, text) {
  live.hidden = false;
  live.className = `live ${state}`;
  document.getElementById("live-text").textContent = text;
}

let said = 0;
function say(text) {
  if (Date.now() - said < 2000) return;
  said = Date.now();
  news.textContent = text;
}

function listen() {
  const source = new EventSource(`${base}/events`);
  source.addEventListener("open", () => {
    show("on", "Live");
    soon();
  });
  const on = (name, text) =>
    source.addEventListener(name, (event) => {
      const { index } = JSON.parse(event.data);
      if (text) say(text(index));
      soon();
    });
  on("block", (index) => `Block ${index} is new.`);
  on("reorg", (index) => `Another branch is followed from block ${index} on.`);
  on("message");
  on("neighbour");
  on("reset");
  source.addEventListener("lost", () => (lost.hidden = false));
  source.addEventListener("error", () => {
    show("", `Looks every ${POLL / 1000} s`);
    // A refusal closes it for good; a broken connection is tried again by the browser.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 15000);
  });
  addEventListener("pagehide", () => source.close());
}

function start() {
  addCopyButtons(document);
  age();
  setInterval(age, 1000);
  for (const type of ["pointerover", "pointerout", "focusin"]) document.addEventListener(type, mark);
  for (const form of document.querySelectorAll("form.add")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      // After the form was read, or it would not be sent.
      setTimeout(() => (button.disabled = true));
      addEventListener("pageshow", () => (button.disabled = false), { once: true });
    });
  }
  if (document.getElementById("problem")) {
    setInterval(async () => {
      const answer = await fetch(location.href).catch(() => null);
      if (answer && answer.status < 500) location.reload();
    }, POLL);
    return;
  }
  const hasLive = document.querySelector("[data-live]") !== null;
  if (!hasLive) return;
  show("", `Looks every ${POLL / 1000} s`);
  listen();
  // Where no news come, and in case some were missed.
  setInterval(() => {
    const pause = live.classList.contains("on") && lost.hidden ? 30000 : POLL;
    if (Date.now() - last >= pause - 100) refresh();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && again) soon();
  });
  last = Date.now();
}

start();
