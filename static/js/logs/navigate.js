// Links and forms marked `data-go` change the page without a reload; the address, Back and focus behave as if there was one.
// What htmx could not do: one word marks a link, where it needs five attributes on each of two hundred facets; a page with a
// mistake in its search is a 400, and shown; Back asks the server, where htmx restores a copy that knows nothing of the open
// panel and of rows that came in since; focus returns to a link by its address, and what was folded stays folded.
let running = new AbortController();

const inPanel = () => new URL(location.href).searchParams.get("open");

function withPanel(address) {
  const url = new URL(address, location.href);
  if (inPanel() && document.querySelector("#panel:not([hidden])")) url.searchParams.set("open", inPanel());
  return url;
}

function remember() {
  const active = document.activeElement;
  return {
    id: active?.id,
    caret: active?.matches("input") ? [active.selectionStart, active.selectionEnd] : null,
    href: active?.getAttribute?.("href"),
    name: active?.closest?.("details")?.id,
    shut: [...document.querySelectorAll("details[id]")].map((one) => [one.id, one.open]),
    panel: document.getElementById("panel"),
  };
}

function restore(before) {
  for (const [id, open] of before.shut) {
    const details = document.getElementById(id);
    if (details) details.open = open;
  }
  const again = (before.id && document.getElementById(before.id)) || (before.name && document.querySelector(`#${CSS.escape(before.name)} a`));
  again?.focus({ preventScroll: true });
  if (before.caret && again?.matches("input[type=search]")) again.setSelectionRange(...before.caret);
}

export async function go(address, { push = true, top = false } = {}) {
  running.abort();
  running = new AbortController();
  const url = withPanel(address);
  const main = document.getElementById("main");
  main.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(url, { signal: running.signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = page.getElementById("main");
    if (!next || page.querySelector(".login")) return location.assign(url);
    const before = remember();
    if (before.panel && next.querySelector("#panel")) next.querySelector("#panel").replaceWith(before.panel);
    document.adoptNode(next);
    main.replaceWith(next);
    document.title = page.title;
    if (push) history.pushState({}, "", withPanel(response.url));
    window.htmx.process(next);
    restore(before);
    if (top) window.scrollTo(0, 0);
    document.dispatchEvent(new CustomEvent("loupe:shown"));
  } catch (error) {
    main.removeAttribute("aria-busy");
    if (error.name !== "AbortError") document.dispatchEvent(new CustomEvent("loupe:failed", { detail: error }));
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.href?.baseVal ?? link.href, { top: link.dataset.go === "top" });
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-go]");
  if (!form) return;
  event.preventDefault();
  const fields = [...new FormData(form)].filter(([, value]) => value !== "");
  go(`${form.action}?${new URLSearchParams(fields)}`);
});

window.addEventListener("popstate", () => go(location.href, { push: false }));
