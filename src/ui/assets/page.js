// Keeps an open page up to date. On every event of the node, the script requests the page again and
// replaces the elements marked with data-live.

const base = document.documentElement.dataset.base;
const announcement = document.getElementById("announcement");
const unreachable = document.getElementById("unreachable");
const live = document.getElementById("live");

// All in milliseconds.
const POLL_INTERVAL = 4000;
const LIVE_POLL_INTERVAL = 30000;
const MIN_REFRESH_INTERVAL = 700;
const ANNOUNCEMENT_INTERVAL = 2000;
const EVENTS_RETRY_DELAY = 15000;

// The same as format::coarse_duration on the server.
function coarseDuration(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400).toLocaleString("en-US")} days`;
}

function updateAges() {
  const now = Date.now() / 1000;
  for (const time of document.querySelectorAll("time.age")) {
    const seconds = now - Number(time.dataset.seconds);
    const duration = coarseDuration(Math.abs(seconds));
    const text = duration === "now" ? duration : seconds < 0 ? `in ${duration}` : `${duration} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

// Browsers offer navigator.clipboard on secure origins only; execCommand also works on plain HTTP.
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("not copied");
}

function addCopyButtons(root) {
  for (const field of root.querySelectorAll("[data-copy], [data-copy-message]")) {
    const name = field.dataset.copyName ?? field.previousElementSibling?.textContent ?? "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the ${name}`);
    button.addEventListener("click", async () => {
      try {
        const { copy: text, copyMessage: source } = field.dataset;
        await copy(source ? (await (await fetch(source)).json()).data.message : text);
        button.textContent = "Copied";
        announcement.textContent = `Copied: ${name}`;
      } catch {
        button.textContent = "Copy failed";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    field.append(button);
  }
}

// Highlights all copies of the hash under the pointer or focus.
function highlightHash(event) {
  const hash = event.target.closest?.(".hash")?.title;
  for (const other of document.querySelectorAll(".hash")) {
    other.classList.toggle("same", Boolean(hash) && other.title === hash && event.type !== "pointerout");
  }
}

const withoutAges = (element) => {
  const copy = element.cloneNode(true);
  for (const time of copy.querySelectorAll("time, button.copy")) time.remove();
  return copy.innerHTML;
};

// Replaces an element, and keeps selection, focus, open details and scroll position.
function replaceElement(old, replacement) {
  if (withoutAges(old) === withoutAges(replacement)) return false;
  const selection = getSelection();
  if (!selection.isCollapsed && old.contains(selection.anchorNode)) return false;
  const focus = old.contains(document.activeElement) ? document.activeElement : null;
  const open = [...old.querySelectorAll("details")].map((details) => details.open);
  const known = new Set([...old.querySelectorAll("[data-key]")].map((item) => item.dataset.key));
  for (const item of replacement.querySelectorAll("[data-key]")) {
    item.classList.toggle("new", !known.has(item.dataset.key));
  }
  const scrollLeft = old.querySelector(".strip")?.scrollLeft;
  old.replaceWith(replacement);
  replacement.querySelectorAll("details").forEach((details, at) => (details.open = open[at] ?? false));
  if (scrollLeft) replacement.querySelector(".strip").scrollLeft = scrollLeft;
  if (focus) {
    const counterpart = [...replacement.querySelectorAll(focus.tagName)].find(
      (other) => other.getAttribute("href") === focus.getAttribute("href") && other.textContent === focus.textContent,
    );
    counterpart?.focus({ preventScroll: true });
  }
  addCopyButtons(replacement);
  return true;
}

let isRefreshing = false;
let isStale = false;
let lastRefresh = 0;
let timer = 0;

async function refresh() {
  if (isRefreshing || document.hidden) {
    isStale = true;
    return;
  }
  isRefreshing = true;
  isStale = false;
  lastRefresh = Date.now();
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    if (response.status >= 500) throw new Error("the node does not respond");
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    unreachable.hidden = true;
    if (response.ok) {
      for (const old of document.querySelectorAll("[data-live]")) {
        const replacement = page.getElementById(old.id);
        if (replacement) replaceElement(old, document.adoptNode(replacement));
      }
      updateAges();
      showTimes();
    }
  } catch {
    unreachable.hidden = false;
  } finally {
    isRefreshing = false;
    if (isStale) scheduleRefresh();
  }
}

// A burst of events causes a single refresh.
function scheduleRefresh() {
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(60, lastRefresh + MIN_REFRESH_INTERVAL - Date.now()));
}

function showConnection(state, text) {
  live.hidden = false;
  live.className = `live ${state}`;
  document.getElementById("live-text").textContent = text;
}

let lastAnnouncement = 0;
function announce(text) {
  if (Date.now() - lastAnnouncement < ANNOUNCEMENT_INTERVAL) return;
  lastAnnouncement = Date.now();
  announcement.textContent = text;
}

function listen() {
  const source = new EventSource(`${base}/events`);
  source.addEventListener("open", () => {
    showConnection("connected", "Live");
    scheduleRefresh();
  });
  const on = (name, text) =>
    source.addEventListener(name, (event) => {
      const { index } = JSON.parse(event.data);
      if (text) announce(text(index));
      scheduleRefresh();
    });
  on("block", (index) => `Block ${index} was mined.`);
  on("reorg", (index) => `A reorg replaced the chain from block ${index} on.`);
  on("message");
  on("neighbour");
  on("reset");
  source.addEventListener("lost", () => (unreachable.hidden = false));
  source.addEventListener("error", () => {
    showConnection("", `Updates every ${POLL_INTERVAL / 1000} s`);
    // The browser reconnects after a network error, but not after an error status.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, EVENTS_RETRY_DELAY);
  });
  addEventListener("pagehide", () => source.close());
}

// Without the host name of the browser, the server rejects every form.
function reportReplacedHost(form) {
  if (form.dataset.host === location.host.toLowerCase()) return;
  const warning = form.querySelector(".proxy");
  warning.querySelector(".site").textContent = location.host;
  warning.hidden = false;
}

// The date and time in the zone of the reader, such as 2026-11-22 15:04:05 GMT+1.
const localFormat = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});

function localTime(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : localFormat.format(date);
}

let isLocal = false;

// Shows each date in the chosen zone, and in the other one on hover.
function showTimes() {
  for (const time of document.querySelectorAll("time.absolute")) {
    const utc = (time.dataset.utc ??= time.textContent);
    const local = localTime(Number(time.dataset.seconds)) ?? utc;
    const [shown, other] = isLocal ? [local, utc] : [utc, local];
    if (time.textContent !== shown) time.textContent = shown;
    time.title = other;
  }
  for (const time of document.querySelectorAll("time.age")) {
    const utc = (time.dataset.utc ??= time.title);
    const local = localTime(Number(time.dataset.seconds));
    if (local) time.title = `${utc}, here ${local}`;
  }
}

function startZones() {
  const button = document.getElementById("zone");
  const label = () => (button.textContent = isLocal ? "Show times in UTC" : "Show local times");
  try {
    isLocal = localStorage.getItem("zone") === "local";
  } catch {
    // Without storage, the choice applies to this page only.
  }
  label();
  button.hidden = !document.querySelector("time.absolute");
  button.addEventListener("click", () => {
    isLocal = !isLocal;
    try {
      localStorage.setItem("zone", isLocal ? "local" : "utc");
    } catch {
      // As above.
    }
    label();
    showTimes();
  });
}

function start() {
  addCopyButtons(document);
  startZones();
  showTimes();
  updateAges();
  setInterval(updateAges, 1000);
  for (const type of ["pointerover", "pointerout", "focusin"]) document.addEventListener(type, highlightHash);
  for (const form of document.querySelectorAll("form.add")) {
    reportReplacedHost(form);
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      // Only after this event, because a disabled button would cancel the submission.
      setTimeout(() => (button.disabled = true));
      addEventListener("pageshow", () => (button.disabled = false), { once: true });
    });
  }
  if (document.getElementById("error-page")) {
    setInterval(async () => {
      const response = await fetch(location.href).catch(() => null);
      if (response && response.status < 500) location.reload();
    }, POLL_INTERVAL);
    return;
  }
  if (!document.querySelector("[data-live]")) return;
  showConnection("", `Updates every ${POLL_INTERVAL / 1000} s`);
  listen();
  // Polls where there are no events, and rarely otherwise, in case an event was missed.
  setInterval(() => {
    const isLive = live.classList.contains("connected") && unreachable.hidden;
    const interval = isLive ? LIVE_POLL_INTERVAL : POLL_INTERVAL;
    if (Date.now() - lastRefresh >= interval - 100) refresh();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isStale) scheduleRefresh();
  });
  lastRefresh = Date.now();
}

start();
