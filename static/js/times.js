// Times as whoever looks reads them: in their own zone, or in UTC by choice; one zone on every page.
export const ZONE = "loupe-utc";

function formats() {
  const zone = localStorage.getItem(ZONE) ? { timeZone: "UTC" } : {};
  const format = (options) => new Intl.DateTimeFormat(undefined, { ...options, ...zone });
  return {
    clock: format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }),
    minute: format({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false }),
    full: format({ dateStyle: "medium", timeStyle: "long" }),
    day: format({ month: "short", day: "numeric" }),
    date: format({ dateStyle: "short" }),
  };
}

function line(name, text) {
  const made = document.createElement("span");
  made.className = name;
  made.textContent = text;
  return made;
}

function write(time, to) {
  const at = new Date(time.dateTime);
  time.title = to.full.format(at);
  if (time.dataset.local === "long") time.textContent = to.full.format(at);
  else if (time.dataset.local === "minute") time.textContent = to.minute.format(at);
  else if (to.date.format(at) === to.date.format(new Date())) time.textContent = to.clock.format(at);
  else time.replaceChildren(line("first", to.clock.format(at)), line("second", to.day.format(at)));
}

export function localise() {
  const to = formats();
  for (const time of document.querySelectorAll("time[data-local]")) write(time, to);
  for (const button of document.querySelectorAll("[data-zone]")) button.setAttribute("aria-pressed", Boolean(localStorage.getItem(ZONE)) === (button.dataset.zone === "utc"));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-zone]");
  if (!button) return;
  localStorage.setItem(ZONE, button.dataset.zone === "utc" ? "on" : "");
  localise();
});
