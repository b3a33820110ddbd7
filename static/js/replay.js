// Sends an edited request through the gateway as a client would, and shows its answer beside the old one.
const form = document.getElementById("replay");
const answer = document.getElementById("answer");
const state = document.getElementById("replay-state");

function say(text) {
  state.textContent = text;
}

function show(text) {
  const box = document.createElement("pre");
  box.className = "code";
  box.textContent = text;
  answer.replaceChildren(box);
  return box;
}

async function prepared() {
  const response = await fetch(form.dataset.body, { method: "POST", body: new FormData(form) });
  if (!response.ok) throw new Error(response.status === 400 ? await response.text() : `Loupe answered ${response.status}.`);
  return { body: await response.arrayBuffer(), key: response.headers.get("x-loupe-key") };
}

async function send(trace) {
  const { body, key } = await prepared();
  const headers = { "content-type": form.dataset.contentType, "x-portkey-api-key": key, "x-portkey-trace-id": trace };
  const response = await fetch(form.dataset.path, { method: "POST", headers, body });
  const box = show("");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) box.textContent += part.value;
}

/** The log of the call, once it is written: then its answer reads as the old one does. */
async function logOf(trace) {
  for (let tries = 0; tries < 60; tries += 1) {
    const news = await fetch(`${form.dataset.logs}/new?${new URLSearchParams({ q: `trace:${trace}`, w: "1h" })}`);
    if (news.status === 200) {
      const page = new DOMParser().parseFromString(await news.text(), "text/html");
      const row = page.getElementById("fresh").content.firstElementChild;
      if (row && !row.querySelector(".dot-in_flight")) return row.id.slice(4);
    }
    await new Promise((resolve) => { setTimeout(resolve, 300); });
  }
  return null;
}

async function showLog(id) {
  const page = new DOMParser().parseFromString(await (await fetch(`${form.dataset.logs}/${id}`)).text(), "text/html");
  const links = document.createElement("p");
  links.className = "actions";
  for (const [title, href] of [["Open it", `${form.dataset.logs}/${id}`], ["Compare", form.dataset.compare + id]]) {
    const link = document.createElement("a");
    Object.assign(link, { className: "button", textContent: title, href });
    links.append(link);
  }
  const parts = [...page.querySelectorAll(".log-head .facts, .log-head .warning, .turn-answer")];
  answer.replaceChildren(...parts.map((part) => document.adoptNode(part)), links);
  document.dispatchEvent(new CustomEvent("loupe:shown"));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const trace = `replay-${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const button = form.querySelector(".button-main");
  button.disabled = true;
  say("Sending …");
  try {
    await send(trace);
    const id = await logOf(trace);
    if (id) await showLog(id);
    say(id ? "Answered" : "Answered; its log is not written yet");
  } catch (error) {
    show(error.message);
    say("Not sent");
  }
  button.disabled = false;
});
