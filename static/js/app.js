// Small behaviours of every page: local times, copying, asking before a revoke, errors, and the keyboard.
import "./request/lightbox.js";
import "./request/pictures.js";
import "./logs/navigate.js";
import { actOnFocused, escape, focusedId, step } from "./logs/list.js";
import { selectFocused } from "./logs/selection.js";
import "./logs/suggestions.js";
import { localise } from "./times.js";

function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = !text;
}

/** Copies what is at the address or has the id that the button names, or the words of the turn that it stands in. */
async function copy(button) {
  await navigator.clipboard.writeText(await textToCopy(button));
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
}

async function textToCopy(button) {
  if (button.dataset.copyFrom) return (await fetch(button.dataset.copyFrom)).text();
  if (button.dataset.copy) return document.getElementById(button.dataset.copy).textContent;
  return [...button.closest(".turn").querySelectorAll(".words, .code")].map((one) => one.textContent).join("\n\n");
}

/** An answer as it came instead of as Markdown, and back. */
function showPlain(button) {
  const plain = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", plain);
  const part = button.closest(".rich");
  part.querySelector(".markdown").hidden = plain;
  part.querySelector(".words").hidden = !plain;
}

const PINNED = "loupe-pinned";

function pin(id) {
  localStorage.setItem(PINNED, id);
  toast("Pinned. Open another request and press d to compare.");
  setTimeout(() => toast(""), 3000);
}

/** Compare the row that has the keyboard with the one that was pinned. */
function compareFocused() {
  const [pinned, id] = [localStorage.getItem(PINNED), focusedId()];
  if (pinned && pinned !== id) location.assign(`${document.getElementById("panel").dataset.compare}?a=${pinned}&b=${id}`);
  else toast("Pin another request first: press x on it.");
}

function compareWithPinned(link) {
  const pinned = localStorage.getItem(PINNED);
  if (pinned && pinned !== link.dataset.compare) link.href = `${link.href.split("?")[0]}?a=${pinned}&b=${link.dataset.compare}`;
}

let lead = 0;

/** `g` and then a letter goes to a page. */
function goTo(key) {
  const link = document.querySelector(`.rail [data-key="${CSS.escape(key)}"]`);
  if (link) location.assign(link.href);
}

const KEYS = {
  j: () => onDetail() ? document.getElementById("older")?.click() : step(1),
  k: () => onDetail() ? document.getElementById("newer")?.click() : step(-1),
  J: () => { step(1); selectFocused({ extend: true }); },
  K: () => { step(-1); selectFocused({ extend: true }); },
  s: () => selectFocused(),
  "/": () => document.getElementById("q")?.select(),
  "?": () => document.getElementById("keys").showModal(),
  g: () => { lead = Date.now(); },
  Escape: () => { if (!escape() && onDetail()) document.getElementById("back").click(); },
};

const onDetail = () => document.getElementById("back");

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing && event.key === "Escape" && !(typing.closest("details.menu") && escape())) typing.blur();
  if (typing) return;
  if (Date.now() - lead < 1500 && event.key !== "g") {
    lead = 0;
    return goTo(event.key);
  }
  if (KEYS[event.key]) {
    if (event.key === "/") event.preventDefault();
    KEYS[event.key]();
  } else {
    const action = document.querySelector(`[data-shortcut="${CSS.escape(event.key)}"]`);
    if (action) action.click();
    else if (event.key === "x" && focusedId()) pin(focusedId());
    else if (event.key === "d" && focusedId()) compareFocused();
    else actOnFocused(event.key);
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-confirm], [data-close], [data-plain], [data-pin], [data-compare]");
  if (button?.dataset.pin) pin(button.dataset.pin);
  if (button?.dataset.compare) compareWithPinned(button);
  if (button && "plain" in button.dataset) showPlain(button);
  if (button && "copy" in button.dataset) copy(button);
  else if (button && "close" in button.dataset) button.closest("dialog").close();
  else if (button?.dataset.confirm && !window.confirm(button.dataset.confirm)) event.preventDefault();
});
document.addEventListener("submit", (event) => {
  const button = event.submitter?.closest("[data-busy]");
  if (button) setTimeout(() => Object.assign(button, { textContent: button.dataset.busy, disabled: true }));
});
document.addEventListener("change", (event) => {
  const select = event.target.closest("select[data-submit]");
  if (select) select.form.requestSubmit();
});

// A picture that turns out broken while it is looked at: its reason stands there the next time.
document.addEventListener("error", (event) => {
  if (!event.target.matches?.("img.thumb, .picture-box img, .stacked img")) return;
  const label = document.createElement("span");
  label.className = "thumb thumb-label";
  label.textContent = "not drawn";
  label.title = event.target.alt;
  event.target.replaceWith(label);
}, { capture: true });

// A request that is gone is told in the panel, not over the page.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id === "panel-body" && xhr.status === 404) Object.assign(event.detail, { shouldSwap: true, isError: false });
});

for (const name of ["htmx:afterSwap", "loupe:shown"]) document.addEventListener(name, () => { localise(); toast(""); });
document.addEventListener("loupe:told", localise);
document.addEventListener("loupe:answered", () => toast(""));
for (const name of ["htmx:responseError", "htmx:response:error"]) {
  document.addEventListener(name, (event) => toast(`The page could not be refreshed (${event.detail.xhr?.status ?? "error"}).`));
}
for (const name of ["htmx:sendError", "htmx:timeout", "loupe:failed"]) {
  document.addEventListener(name, () => toast("Loupe does not answer. The page follows again when it does."));
}
localise();
