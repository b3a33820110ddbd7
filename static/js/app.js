// Small behaviours of every page: local times, copying, asking before a revoke, errors, and the keyboard in lists.
import "./lightbox.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

function localise(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    time.title = full.format(at);
    if (time.dataset.local === "long") time.textContent = full.format(at);
    else time.textContent = at.toDateString() === today ? clock.format(at) : day.format(at);
  }
}

function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = !text;
}

async function copy(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
}

function step(by) {
  const links = [...document.querySelectorAll(".row-link")];
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? links[0] : links[Math.min(Math.max(at + by, 0), links.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const onDetail = document.getElementById("back");
  if (event.key === "j") onDetail ? document.getElementById("older")?.click() : step(1);
  else if (event.key === "k") onDetail ? document.getElementById("newer")?.click() : step(-1);
  else if (event.key === "Escape" && onDetail) onDetail.click();
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-confirm]");
  if (button?.dataset.copy) copy(button);
  else if (button?.dataset.confirm && !window.confirm(button.dataset.confirm)) event.preventDefault();
});

// A live list is replaced as a whole: keep the keyboard where it was.
let focused = null;
document.addEventListener("htmx:beforeSwap", () => { focused = document.activeElement?.closest(".log-row")?.id; });
document.addEventListener("htmx:afterSwap", () => {
  localise(document);
  if (focused) document.querySelector(`#${CSS.escape(focused)} .row-link`)?.focus({ preventScroll: true });
  toast("");
});
for (const name of ["htmx:responseError", "htmx:response:error"]) {
  document.addEventListener(name, (event) => toast(`The page could not be refreshed (${event.detail.xhr?.status ?? "error"}).`));
}
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => toast("Loupe does not answer. The page follows again when it does."));
}
localise(document);
