// The list under the search box: what may be typed next, and, while it is empty, what was searched for before.
// htmx could fetch the list, not ask for the word under the caret alone, nor put what was chosen in its place.
const RECENT = "loupe-recent";
const MOST_RECENT = 8;
const byId = (id) => document.getElementById(id);
const recent = () => JSON.parse(localStorage.getItem(RECENT) ?? "[]");
let asking = new AbortController();
let chosen = -1;

/** Where the word under the caret begins; blanks in quotes do not part words. */
function wordStart(input) {
  let start = 0;
  let quoted = false;
  for (let i = 0; i < input.selectionStart; i += 1) {
    if (input.value[i] === '"') quoted = !quoted;
    else if (input.value[i] === " " && !quoted) start = i + 1;
  }
  return start;
}

async function suggest(input) {
  asking.abort();
  asking = new AbortController();
  if (!input.value.trim()) return show(input, recent().map(recentOption));
  const start = wordStart(input);
  const word = input.value.slice(start, input.selectionStart);
  const rest = `${input.value.slice(0, start)} ${input.value.slice(input.selectionStart)}`.trim();
  const query = new URLSearchParams(new FormData(input.form));
  query.set("q", rest);
  query.set("word", word);
  const response = await fetch(`${input.dataset.suggest}?${query}`, { signal: asking.signal });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  show(input, word ? [...page.querySelectorAll("li")].map((one) => document.adoptNode(one)) : []);
}

function recentOption(text, index) {
  const option = document.createElement("li");
  option.setAttribute("role", "option");
  option.id = `suggestion-${index + 1}`;
  option.dataset.search = text;
  option.textContent = text;
  return option;
}

function show(input, options) {
  const list = byId("suggestions");
  const before = list.children[chosen]?.textContent;
  list.replaceChildren(...options);
  list.hidden = !options.length;
  input.setAttribute("aria-expanded", options.length > 0);
  choose(input, options.findIndex((one) => one.textContent === before)); // a late answer takes no choice away
}

function choose(input, index) {
  const options = [...byId("suggestions").children];
  chosen = options.length ? (index + options.length + 1) % (options.length + 1) : -1;
  if (chosen === options.length) chosen = -1;
  options.forEach((one, i) => one.setAttribute("aria-selected", i === chosen));
  if (chosen >= 0) input.setAttribute("aria-activedescendant", options[chosen].id);
  else input.removeAttribute("aria-activedescendant");
}

function take(input, option) {
  if (option.dataset.search) {
    input.value = option.dataset.search;
    show(input, []);
    return input.form.requestSubmit();
  }
  const start = wordStart(input);
  const complete = !option.dataset.text.endsWith(":");
  const text = option.dataset.text + (complete ? " " : "");
  input.setRangeText(text, start, input.selectionStart, "end");
  return complete ? show(input, []) : later(input);
}

const hide = (input) => show(input, []);
const later = (input) => suggest(input).catch((error) => { if (error.name !== "AbortError") hide(input); });

document.addEventListener("input", (event) => { if (event.target.id === "q") later(event.target); });
document.addEventListener("focusin", (event) => { if (event.target.id === "q") later(event.target); });
document.addEventListener("focusout", (event) => { if (event.target.id === "q") hide(event.target); });
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("#suggestions li");
  if (!option) return;
  event.preventDefault();
  take(byId("q"), option);
});
document.addEventListener("keydown", (event) => {
  const input = event.target;
  if (input.id !== "q" || byId("suggestions").hidden) return;
  const options = byId("suggestions").children;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(input, event.key === "ArrowDown" ? chosen + 1 : chosen < 0 ? options.length - 1 : chosen - 1);
  } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
    event.preventDefault();
    take(input, options[chosen]);
  } else if (event.key === "Tab" && options[0]?.dataset.text) {
    event.preventDefault();
    take(input, options[0]);
  } else if (event.key === "Escape") {
    event.stopPropagation();
    hide(input);
  }
}, { capture: true });
document.addEventListener("submit", (event) => {
  const text = event.target.closest(".search")?.querySelector("#q").value.trim();
  if (event.target.matches(".search")) hide(byId("q"));
  if (text) localStorage.setItem(RECENT, JSON.stringify([text, ...recent().filter((one) => one !== text)].slice(0, MOST_RECENT)));
});
