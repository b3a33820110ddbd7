// A call made from a page through the gateway, as any client makes it, and the log that it leaves.
// htmx swaps HTML; this reads the stream of an API, token by token, with the key of a moment.

/** What is wrong with a call, and in `param` with what of it. */
export class Refused extends Error {
  constructor(message, param) {
    super(message);
    this.param = param;
  }
}

/** Posts a form, its body changed; the answer is the body to send, and in headers a key and, where it says so, the path. Throws Refused. */
export async function prepared(address, form, change = (body) => body) {
  const fields = new FormData(form);
  if (fields.has("body")) fields.set("body", change(fields.get("body")));
  const response = await fetch(address, { method: "POST", body: fields });
  if (response.status === 400) throw new Refused(await response.text(), response.headers.get("x-loupe-param"));
  if (!response.ok) throw new Error(`Loupe answered ${response.status}.`);
  return { body: await response.arrayBuffer(), key: response.headers.get("x-loupe-key"), path: response.headers.get("x-loupe-path") };
}

/** Sends it, and hands over the answer's text piece by piece. */
export async function send({ path, body, key, trace, contentType = "application/json", signal }, onText) {
  const headers = { "content-type": contentType, "x-portkey-api-key": key, "x-portkey-trace-id": trace };
  const response = await fetch(path, { method: "POST", headers, body, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) onText(part.value);
}

export const newTrace = (kind) => `${kind}-${Date.now()}-${Math.random().toString(36).slice(2)}`;

/** The id of the log of a call, once it is written. */
export async function logOf(logs, trace) {
  for (let tries = 0; tries < 60; tries += 1) {
    const news = await fetch(`${logs}/new?${new URLSearchParams({ q: `trace:${trace}`, w: "1h" })}`);
    if (news.status === 200) {
      const page = new DOMParser().parseFromString(await news.text(), "text/html");
      const row = page.getElementById("fresh").content.firstElementChild;
      if (row && !row.querySelector(".dot-in_flight")) return row.id.slice(4);
    }
    await new Promise((resolve) => { setTimeout(resolve, 300); });
  }
  return null;
}

/** Shows the answer as the log's own page does, with links below it. */
export async function showLog(logs, id, answer, titles) {
  const page = new DOMParser().parseFromString(await (await fetch(`${logs}/${id}`)).text(), "text/html");
  const links = document.createElement("p");
  links.className = "actions";
  for (const [title, href] of Object.entries(titles)) {
    const link = document.createElement("a");
    Object.assign(link, { className: "button", textContent: title, href });
    links.append(link);
  }
  const parts = [...page.querySelectorAll(".log-head .facts, .log-head .failure, .log-head .warning, .turn-answer")];
  answer.replaceChildren(...parts.map((part) => document.adoptNode(part)), links);
  document.dispatchEvent(new CustomEvent("loupe:shown"));
}

/** An empty box for text that comes in. */
export function box(answer, text = "") {
  const made = document.createElement("pre");
  made.className = "code";
  made.textContent = text;
  answer.replaceChildren(made);
  return made;
}
