// Rows that are chosen, by shift-click or with the keyboard (`s`, and shift with j and k), and what is exported of them.
const byId = (id) => document.getElementById(id);
const rows = () => [...document.querySelectorAll(".log-row, .tile")];
const chosen = () => document.querySelectorAll("[aria-selected=true]");
let anchor = null;
const MOST_STILL = 75; // looks, 400 ms each, at a download that another server process may be writing

function select(row, on = row.getAttribute("aria-selected") !== "true") {
  if (on) row.setAttribute("aria-selected", "true");
  else row.removeAttribute("aria-selected");
  anchor = row;
  tell();
}

function selectTo(row) {
  const all = rows();
  const [from, to] = [all.indexOf(anchor), all.indexOf(row)];
  if (from < 0) return select(row, true);
  for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) one.setAttribute("aria-selected", "true");
  tell();
}

function tell() {
  const ids = [...chosen()].map((row) => row.id.slice(4));
  byId("selection").hidden = !ids.length;
  byId("selected-count").textContent = `${ids.length} selected`;
  for (const link of document.querySelectorAll("[data-export-selected], [data-selected]")) {
    link.href = `${link.href.split("?")[0]}?ids=${ids.join(",")}`;
  }
  const both = byId("compare-selected");
  both.hidden = ids.length !== 2;
  both.href = `${both.href.split("?")[0]}?a=${ids[1]}&b=${ids[0]}`;
}

/** Select the row that has the keyboard; `extend` takes along all between it and the last one chosen. */
export function selectFocused({ extend = false } = {}) {
  const row = document.activeElement?.closest(".log-row, .tile");
  if (row) extend ? selectTo(row) : select(row);
}

async function follow(token, whole) {
  const bar = document.createElement("progress");
  bar.max = whole;
  byId("toast").replaceChildren("Exporting … ", bar);
  byId("toast").hidden = false;
  for (let done = 0, still = 0; done >= 0 && still < MOST_STILL; ) {
    await new Promise((resolve) => { setTimeout(resolve, 400); });
    const answer = await fetch(`${byId("panel").dataset.logs}/export/progress/${token}`);
    ({ done } = await answer.json());
    still = done === bar.value ? still + 1 : 0;
    bar.value = Math.max(done, 0);
  }
  byId("toast").hidden = true;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-export]");
  if (link) {
    const token = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    const url = new URL(link.href);
    url.searchParams.set("progress", token);
    link.href = url;
    follow(token, Number(link.dataset.export)).catch(() => { byId("toast").hidden = true; });
  }
  if (event.target.closest("#select-none")) {
    for (const row of chosen()) row.removeAttribute("aria-selected");
    tell();
  }
});
document.addEventListener("click", (event) => {
  const row = event.target.closest(".log-row, .tile");
  if (!row || !event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  window.getSelection().removeAllRanges();
  anchor ? selectTo(row) : select(row, true);
}, { capture: true });
