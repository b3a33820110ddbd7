// The list of logs while it stands open: new rows, the panel beside it, the keyboard, and the chart under the pointer.
// htmx loads the panel. It cannot ask for new rows: the question names the rows that are shown, which needs `hx-vals` with
// script, and `allowEval` is off; and what comes waits in a pill while somebody reads, instead of being swapped in.
import { ZONE } from "../times.js";
import { go } from "./navigate.js";

const POLL_MS = 1000;
const MOST_ROWS = 250;
const TRUTH_MS = 2500;
const byId = (id) => document.getElementById(id);
const rowLinks = () => [...document.querySelectorAll(".row-link")];

// What came in since the list was drawn, and is not shown yet because somebody is reading.
let held = [];
let overflow = false;

function isReading() {
  return window.scrollY > 8 || !byId("panel")?.hidden || byId("log-rows")?.matches(":focus-within");
}

function newestId() {
  return (held[0] ?? byId("log-rows")?.firstElementChild)?.id.slice(4) ?? "";
}

function showHeld() {
  if (overflow || !byId("log-rows")) return go(location.href, { push: false, top: true });
  byId("log-rows").prepend(...held);
  while (byId("log-rows").children.length > MOST_ROWS) byId("log-rows").lastElementChild.remove();
  held = [];
  sayNew();
  document.dispatchEvent(new CustomEvent("loupe:shown"));
}

function sayNew() {
  const count = held.length;
  byId("live-text").textContent = count ? `${overflow ? `${count}+` : count} new` : "Live";
  byId("live").classList.toggle("pill-new", count > 0);
}

async function poll() {
  const live = byId("live");
  if (!live || document.hidden) return;
  const unsettled = [...document.querySelectorAll("[data-unsettled]")].map((row) => row.dataset.unsettled).slice(0, 100);
  const query = new URLSearchParams({ after: newestId(), unsettled });
  const response = await fetch(`${live.dataset.new}&${query}`);
  document.dispatchEvent(new CustomEvent("loupe:answered"));
  if (response.status !== 200 || byId("live") !== live) return;
  const answer = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!answer.getElementById("fresh")) return location.reload(); // logged out
  for (const row of answer.getElementById("changed").content.children) replaceRow(row.cloneNode(true));
  const fresh = [...answer.getElementById("fresh").content.children].map((row) => document.adoptNode(row.cloneNode(true)));
  held = [...fresh, ...held];
  overflow ||= "full" in answer.getElementById("fresh").dataset;
  if (fresh.length) isReading() && byId("log-rows") ? sayNew() : showHeld();
  followTruth().catch((error) => document.dispatchEvent(new CustomEvent("loupe:failed", { detail: error })));
}

let truthAt = 0;

/** What stands over and beside the list says the same as its rows: the headline, the chart and the filters come anew. */
async function followTruth() {
  if (Date.now() < truthAt) return;
  truthAt = Date.now() + TRUTH_MS;
  await new Promise((resolve) => { setTimeout(resolve, TRUTH_MS); });
  const address = location.href;
  const page = new DOMParser().parseFromString(await (await fetch(carried() || location.pathname)).text(), "text/html");
  if (location.href !== address || drag) return;
  for (const id of ["sums", "chart", "filters"]) {
    const [old, next] = [byId(id), page.getElementById(id)];
    if (!old || !next || old.contains(document.activeElement)) continue;
    const open = new Map([...old.querySelectorAll("details")].map((one, index) => [one.id || index, one.open]));
    document.adoptNode(next);
    [...next.querySelectorAll("details")].forEach((one, index) => { one.open = open.get(one.id || index) ?? one.open; });
    old.replaceWith(next);
    window.htmx.process(next);
  }
  document.dispatchEvent(new CustomEvent("loupe:told"));
}

function replaceRow(row) {
  const old = byId(row.id) ?? held.find((one) => one.id === row.id);
  const focused = old?.contains(document.activeElement);
  row.classList.toggle("row-open", old?.classList.contains("row-open"));
  old?.replaceWith(row);
  held = held.map((one) => (one === old ? row : one));
  if (focused) row.querySelector(".row-link").focus({ preventScroll: true });
  document.dispatchEvent(new CustomEvent("loupe:shown"));
}

async function keepPolling() {
  try {
    await poll();
  } catch (error) {
    document.dispatchEvent(new CustomEvent("loupe:failed", { detail: error }));
  }
  setTimeout(keepPolling, POLL_MS);
}

// The panel

const hasPanel = () => byId("panel") && matchMedia("(width >= 1000px)").matches;
const openId = () => new URL(location.href).searchParams.get("open");
function setOpen(id, { replace = false } = {}) {
  const url = new URL(location.href);
  if (id) url.searchParams.set("open", id);
  else url.searchParams.delete("open");
  history[replace ? "replaceState" : "pushState"]({}, "", url);
}

async function showPanel(id) {
  const panel = byId("panel");
  if (!panel) return;
  markOpen(id);
  panel.hidden = false;
  byId("panel-page").href = `${panel.dataset.logs}/${id}${carried()}`;
  fold();
  const shown = { source: panel, target: "#panel-body", select: ".log, .empty", swap: "innerHTML" };
  byId("panel-body").setAttribute("aria-busy", "true");
  await window.htmx.ajax("GET", `${panel.dataset.logs}/${id}`, shown).catch(ignoreAbort);
  byId("panel-body").removeAttribute("aria-busy");
  byId("panel-body").scrollTop = 0;
  document.dispatchEvent(new CustomEvent("loupe:shown"));
}

/** Another request was opened before this one had come (`hx-sync` of the panel). */
function ignoreAbort(reason) {
  if (reason?.type !== "abort") throw reason;
}

function hidePanel() {
  byId("panel").hidden = true;
  byId("panel-body").replaceChildren();
  const row = document.querySelector(".row-open .row-link");
  markOpen(null);
  fold();
  row?.focus();
}

function markOpen(id) {
  document.querySelector(".row-open")?.classList.remove("row-open");
  byId(`log-${id}`)?.classList.add("row-open");
}

/** Filters fold into their pill where there is no room for them. */
function fold() {
  const filters = document.querySelector(".facets-fold");
  if (filters) filters.open = byId("panel").hidden && matchMedia("(width >= 1000px)").matches;
}

async function followAddress() {
  const panel = byId("panel");
  if (!panel) return;
  if (!openId()) {
    if (!panel.hidden) hidePanel();
    return;
  }
  if (panel.hidden || !new URL(byId("panel-page").href).pathname.endsWith(openId())) await showPanel(openId());
  else markOpen(openId());
}

/** The list as its address has it: a request's own page walks it, and leads back to it. */
function carried() {
  const url = new URL(location.href);
  url.searchParams.delete("open");
  return url.search;
}

for (const name of ["pointerdown", "focusin"]) {
  document.addEventListener(name, (event) => {
    const link = event.target.closest?.("a[data-open]");
    if (link) link.search = carried();
  });
}

// A browser drags a link where it would mark text: while the mouse is down on a row's words, they are no link.
document.addEventListener("pointerdown", (event) => {
  const link = event.target.closest?.("a.row-link:not(.tile-link)");
  if (!link || event.button || event.pointerType !== "mouse" || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const address = link.getAttribute("href");
  link.removeAttribute("href");
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, () => link.setAttribute("href", address), { once: true, capture: true });
  }
});

/** The link of a row, wherever the row was clicked; not where somebody has just marked some of its text. */
function linkOf(target) {
  const own = target.closest("a[data-open]");
  const other = target.closest("a, button, input, [data-filter]");
  if (!window.getSelection().isCollapsed) return null;
  return own ?? (other ? null : target.closest(".log-row")?.querySelector("a[data-open]"));
}

document.addEventListener("click", (event) => {
  const link = linkOf(event.target);
  if (!link && event.target.closest("a[data-open]")) event.preventDefault();
  if (link && !link.contains(event.target) && !hasPanel()) {
    link.search = carried();
    location.assign(link.href);
  }
  if (link && hasPanel() && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    setOpen(link.dataset.open, { replace: Boolean(openId()) });
    link.focus({ preventScroll: true });
    showPanel(link.dataset.open).catch(() => location.assign(link.href));
  }
  if (event.target.closest("#panel-close")) {
    setOpen(null);
    hidePanel();
  }
  if (event.target.closest("#live") && held.length) {
    showHeld();
    window.scrollTo(0, 0);
  }
  const value = event.target.closest("[data-filter]");
  if (value) addFilter(value.dataset.filter, value.textContent.trim());
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

function addFilter(name, value) {
  const url = new URL(location.href);
  const quoted = /[\s",]/.test(value) ? `"${value.replace(/(["\\])/g, "\\$1")}"` : value;
  url.searchParams.set("q", `${url.searchParams.get("q") ?? ""} ${name}:${quoted}`.trim());
  for (const one of ["before", "open"]) url.searchParams.delete(one);
  go(url, { top: true });
}

// A typed window is in the zone that the page shows, and goes into the address as milliseconds.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-window]");
  if (!form) return;
  event.preventDefault();
  const url = new URL(location.href);
  for (const name of ["w", "before", "skip", "from", "to"]) url.searchParams.delete(name);
  for (const name of ["from", "to"]) {
    const text = form.elements[name].value;
    if (text) url.searchParams.set(name, Date.parse(localStorage.getItem(ZONE) ? `${text}Z` : text));
  }
  go(url, { top: true });
}, { capture: true });

// The edge of the panel

function setWidth(pixels) {
  const width = Math.min(Math.max(pixels, 360), window.innerWidth - 420);
  document.documentElement.style.setProperty("--panel", `${width}px`);
  byId("panel-edge")?.setAttribute("aria-valuenow", Math.round(100 * width / window.innerWidth));
  localStorage.setItem("loupe-panel", width);
}

document.addEventListener("pointerdown", (event) => {
  if (event.target.id !== "panel-edge") return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  event.target.onpointermove = (move) => setWidth(window.innerWidth - move.clientX);
  event.target.onpointerup = () => { event.target.onpointermove = null; };
});

// The chart: a click narrows the window to a bar, dragging to what was dragged over; Back undoes it.

let drag = null;

document.addEventListener("pointerdown", (event) => {
  const bars = event.target.closest?.("svg.bars");
  if (bars && !event.button) drag = { bars, from: event.clientX };
});
document.addEventListener("pointermove", (event) => {
  if (!drag || Math.abs(event.clientX - drag.from) < 5) return;
  const shares = [drag.from, event.clientX].map((x) => shareAt(drag.bars, x)).sort((a, b) => a - b);
  const width = drag.bars.viewBox.baseVal.width;
  drag.shares = shares;
  drag.mark ??= drag.bars.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
  drag.mark.setAttribute("class", "bar-drag");
  drag.mark.setAttribute("x", shares[0] * width);
  drag.mark.style.width = `${(shares[1] - shares[0]) * width}px`;
});
document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { bars } = drag;
  const index = Math.floor(shareAt(bars, event.clientX) * bars.dataset.bars);
  const shares = drag.shares ?? [index / bars.dataset.bars, (index + 1) / bars.dataset.bars];
  if (drag.shares || event.target.closest("svg.bars rect")) narrowTo(bars, shares);
  drag = null;
});

function shareAt(bars, x) {
  const box = bars.getBoundingClientRect();
  return Math.min(Math.max((x - box.left) / box.width, 0), 1);
}

function narrowTo(bars, shares) {
  const [since, until] = [Number(bars.dataset.since), Number(bars.dataset.until)];
  const url = new URL(location.href);
  for (const name of ["w", "before"]) url.searchParams.delete(name);
  url.searchParams.set("from", Math.round(since + shares[0] * (until - since)));
  url.searchParams.set("to", Math.round(since + shares[1] * (until - since)));
  go(url, { top: true });
}


// The keyboard

export function step(by) {
  const links = rowLinks();
  const open = document.querySelector(".row-open .row-link");
  const at = links.indexOf(links.includes(document.activeElement) ? document.activeElement : open);
  const next = at < 0 ? links[0] : links[Math.min(Math.max(at + by, 0), links.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  if (next && next !== open && openId()) next.click();
}

/** The id of the request that has the keyboard. */
export const focusedId = () => document.activeElement?.closest?.(".log-row, .tile")?.id.slice(4) ?? "";

/** Closes the topmost thing that is open; answers whether there was one. */
export function escape() {
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
    return true;
  }
  if (!openId() || byId("panel")?.hidden !== false) return false;
  setOpen(null);
  hidePanel();
  return true;
}

/** What a key does to the row that has the keyboard, while no request is open: `c` copies it as code, `r` replays it. */
export async function actOnFocused(key) {
  const id = focusedId();
  if (!id) return false;
  if (key === "r") location.assign(`${byId("panel").dataset.logs}/${id}/replay`);
  if (key === "c") {
    setOpen(id);
    await showPanel(id);
    document.querySelector('#panel [data-shortcut="c"]')?.click();
  }
  return "rc".includes(key);
}

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "panel-edge" || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  setWidth(byId("panel").offsetWidth + (event.key === "ArrowLeft" ? 24 : -24));
});

const kept = Number(localStorage.getItem("loupe-panel"));
if (kept) setWidth(kept);
document.addEventListener("loupe:shown", () => {
  if (!byId("log-rows")?.contains(held[0])) followAddress();
});
window.addEventListener("popstate", () => { held = []; overflow = false; });
/** Back from a request's own page: where it stands in the list, and with the keyboard on it. */
function returnToRow() {
  const row = location.hash.startsWith("#log-") && byId(location.hash.slice(1));
  if (!row) return;
  row.querySelector(".row-link").focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
  history.replaceState(history.state, "", location.pathname + location.search);
}

fold();
followAddress();
returnToRow();
keepPolling();
