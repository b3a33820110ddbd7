// Slots for pictures, wherever they stand: a picture that is uploaded, pasted, dropped or picked from the logs is named there.
// htmx sends forms; a pasted or dropped picture is a body of its own, and what comes back is a name for a field.
const MOST_BYTES = 20 * 1024 * 1024;

function say(slot, text) {
  const problem = slot.querySelector("[data-problem]") ?? slot.parentElement.querySelector("[data-problem]");
  problem.textContent = text;
  problem.hidden = !text;
}

async function upload(slot, file) {
  const { pictures } = slot.closest("[data-pictures]").dataset;
  if (file.size > MOST_BYTES) {
    return say(slot, `${file.name || "The picture"} is ${(file.size / 1e6).toFixed(1)} MB; 20 MB is the most. Make it smaller: models do too.`);
  }
  say(slot, "");
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const response = await fetch(pictures, { method: "POST", body: file, headers: { "X-CSRFToken": token, "content-type": "application/octet-stream" } });
  if (!response.ok) return say(slot, `Loupe answered ${response.status}.`);
  const { url, problem } = await response.json();
  if (problem) return say(slot, problem);
  fill(slot, url);
}

/** Names a kept picture in a slot, and shows it there. */
function fill(slot, url) {
  const { pictures } = slot.closest("[data-pictures]").dataset;
  const field = slot.querySelector("[data-picture]");
  field.value = url;
  show(slot, `${pictures}/${url.split(":").pop()}/256`);
  for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
}

function show(slot, address) {
  const image = document.createElement("img");
  Object.assign(image, { className: "slot-picture", src: address, alt: "The picture of this slot" });
  const old = slot.querySelector(".slot-picture, .slot-frame");
  if (old) old.replaceWith(image);
  else slot.querySelector("[data-picture]").before(image);
}

const pictureOf = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? transfer?.files?.[0];

/** Whether words were copied, which some programs send a picture of along; the name of a file is no such words. */
function isText(transfer) {
  const text = transfer.getData("text/plain");
  return Boolean(text) && text !== pictureOf(transfer)?.name;
}

function take(event, transfer) {
  const slot = event.target.closest?.("[data-slot]");
  const file = slot && pictureOf(transfer);
  if (!file) return;
  event.preventDefault();
  upload(slot, file).catch((error) => say(slot, error.message));
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-upload]")) take(event, event.target);
});
document.addEventListener("paste", (event) => {
  if (!isText(event.clipboardData)) take(event, event.clipboardData);
});
document.addEventListener("drop", (event) => take(event, event.dataTransfer));
document.addEventListener("dragover", (event) => {
  if (event.target.closest?.("[data-slot]")) event.preventDefault();
});

// Pictures of the log

let chosen = null;

document.addEventListener("click", (event) => {
  const here = event.target.closest("[data-pick-here]");
  const picked = event.target.closest("[data-pick]");
  const picker = document.getElementById("picker");
  if (here) {
    chosen = here.closest("[data-slot]");
    picker.showModal();
    picker.querySelector("form").dispatchEvent(new Event("loupe:open"));
  } else if (picked) {
    picker.close();
    fill(chosen, picked.dataset.pick);
    chosen.querySelector("[data-picture]").focus();
  }
});
