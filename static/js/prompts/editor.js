// The prompt editor: running what is on the page, and drafts that survive a reload.
import { box, logOf, newTrace, prepared, send, showLog } from "../request/call.js";
import "./slots.js";

const byId = (id) => document.getElementById(id);
let running = null;

// Running

/** The words in the events of a chat stream; what is no such event is shown as it is. A refusal is said where its cause is. */
function reader(shown) {
  let rest = "";
  let whole = "";
  return (text) => {
    whole = (whole + text).slice(0, 10000);
    blame(errorOf(whole));
    rest += text;
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) shown.textContent += wordsOf(line);
  };
}

function errorOf(text) {
  try {
    return text.startsWith("{") ? JSON.parse(text).error : null;
  } catch {
    return null; // not whole yet
  }
}

/** Says an error beside the field that its `param` names: a part of a message, and through it a variable, or the model. */
function blame(error) {
  if (!error?.param) return;
  const slot = error.param.match(/^messages\[(\d+)\]\.content\[(\d+)\]/);
  let field = slot ? document.querySelector(`[name=m${slot[1]}-${slot[2]}-url]`) : error.param === "model" && byId("model");
  const variable = slot && field?.value.match(/^\s*\{\{\s*([^{}#^/>]+?)\s*\}\}\s*$/)?.[1];
  if (variable) field = byId(`v-${variable}`) ?? field;
  const problem = field && field.closest("[data-slot], .model")?.querySelector("[data-problem]");
  if (!problem) return;
  problem.textContent = error.message.replace(/^messages\[\S+: /, "");
  problem.hidden = false;
  field.focus();
}

function forgive() {
  for (const problem of document.querySelectorAll("[data-problem]")) problem.hidden = true;
}

function wordsOf(line) {
  if (!line.startsWith("data:")) return line.startsWith(":") || line.startsWith("event:") ? "" : line;
  const data = line.slice(5).trim();
  if (!data || data === "[DONE]") return "";
  try {
    const event = JSON.parse(data);
    return event.error?.message ?? event.choices?.[0]?.delta?.content ?? "";
  } catch {
    return data;
  }
}

async function run() {
  const { run: address, logs } = byId("editor").dataset;
  const [answer, state, trace] = [byId("answer"), byId("run-state"), newTrace("prompt")];
  running = new AbortController();
  busy(true);
  forgive();
  state.textContent = "Sending …";
  try {
    const call = await prepared(address, byId("editor"));
    state.textContent = "Answering …";
    await send({ ...call, trace, signal: running.signal }, reader(box(answer)));
    const id = await logOf(logs, trace);
    if (id) await showLog(logs, id, answer, { "Open its log": `${logs}/${id}` });
    state.textContent = id ? "Answered" : "Answered; its log is not written yet";
  } catch (error) {
    const cancelled = error.name === "AbortError";
    if (!cancelled) box(answer, error.message);
    blame(error);
    state.textContent = cancelled ? "Cancelled" : "Not sent";
  }
  busy(false);
}

/** Run keeps the focus while it cannot be pressed, so that whoever presses it with the keyboard stays there. */
function busy(on) {
  byId("run").setAttribute("aria-disabled", on);
  byId("cancel").hidden = !on;
}

const runOnce = () => byId("run").getAttribute("aria-disabled") === "true" || run();

// The keyboard's place, when the form comes back with a part moved, added or taken away

const moved = { up: -1, down: 1 };

/** The field or button to go on with after `up:0:1`, `add-text:0` and the like. */
function placeAfter(act) {
  const [verb, ...at] = act.split(":");
  const find = (selector) => byId("editor").querySelector(selector);
  if (verb in moved) {
    const place = [...at.slice(0, -1), Number(at.at(-1)) + moved[verb]].join(":");
    return find(`[value="${verb}:${place}"]`) ?? find(`[value="up:${place}"], [value="down:${place}"]`);
  }
  if (verb === "add-message") return [...byId("editor").querySelectorAll(".message textarea")].at(-1);
  const message = byId("editor").querySelectorAll(".message")[Number(at[0])];
  return verb === "remove" ? message?.querySelector(".adders button") : [...(message?.querySelectorAll("textarea, [data-picture]") ?? [])].at(-1);
}

let acted = "";
document.addEventListener("click", (event) => { acted = event.target.closest("[name=act]")?.value ?? ""; });
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id !== "editor") return; // the list of variables comes back on its own
  if (acted) placeAfter(acted)?.focus();
  acted = "";
});

// Drafts

const draftName = () => `loupe-draft ${location.pathname}${location.search} ${document.querySelector("[name=based_on]").value}`;
const contentOf = () => new URLSearchParams([...new FormData(byId("editor"))].filter(([name]) => name !== "csrfmiddlewaretoken")).toString();
let begun = contentOf();

function remember() {
  const content = contentOf();
  if (content === begun) localStorage.removeItem(draftName());
  else localStorage.setItem(draftName(), content);
}

async function recall() {
  const kept = localStorage.getItem(draftName());
  if (!kept || kept === begun) return;
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  await window.htmx.ajax("POST", byId("editor").dataset.shape, {
    target: "#editor",
    swap: "outerHTML",
    values: { ...Object.fromEntries(new URLSearchParams(kept)), csrfmiddlewaretoken: token, act: "" },
  });
  const notice = document.createElement("p");
  const discard = document.createElement("button");
  Object.assign(notice, { className: "notice", textContent: "What you had not saved is back. " });
  Object.assign(discard, { type: "button", className: "button button-small", textContent: "Discard it", id: "discard" });
  notice.setAttribute("role", "status");
  notice.append(discard);
  byId("editor").querySelector(".bar").after(notice);
}

function forget() {
  begun = contentOf();
  localStorage.removeItem(draftName());
  location.reload();
}

document.addEventListener("input", (event) => {
  if (event.target.closest("#editor")) remember();
});
document.addEventListener("htmx:afterSwap", remember);
document.addEventListener("submit", (event) => {
  if (event.target.id === "editor" && !event.submitter?.hasAttribute("formaction")) localStorage.removeItem(draftName());
});

document.addEventListener("click", (event) => {
  if (event.target.closest("#run")) runOnce();
  if (event.target.closest("#cancel")) running?.abort();
  if (event.target.closest("#discard")) forget();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && byId("run")) {
    event.preventDefault();
    runOnce();
  }
});
if (document.querySelector(".warning[role=alert], .conflict, .field-error:not([hidden])")) begun = "";
else recall();
