// The pictures of a request on its page: rows of one height, the model's view switched for all at once and remembered, and each
// place that the answer names lit on the picture, in the list beside it and in the words, wherever the pointer is.
const EYE = "loupe-eye";

function layOut(root) {
  for (const image of root.querySelectorAll(".picture-box img[width]")) {
    const figure = image.closest(".picture");
    const [width, height] = ["width", "height"].map((name) => Number(image.getAttribute(name)));
    figure.style.setProperty("--own", Math.max(width, 120));
    figure.style.setProperty("--ratio", Math.min(Math.max(width / height, 0.2), 8));
    figure.dataset.ratio = "";
  }
}

function showEye(on) {
  for (const one of document.querySelectorAll(".show-eye")) one.checked = on;
}

document.addEventListener("change", (event) => {
  if (!event.target.matches(".show-eye")) return;
  localStorage.setItem(EYE, event.target.checked ? "on" : "");
  showEye(event.target.checked);
});

// Places in words: found again in the text of the answer and marked there without changing it (CSS Custom Highlight API).

const SPOKEN = ["markdown", "words", "code"].map((kind) => `.turn[data-role="assistant"] .${kind}:not([hidden])`).join();
let said = [];

function findSaid() {
  said = [];
  if (!window.Highlight) return;
  const places = [...document.querySelectorAll(".marks-legend [data-said]")];
  const words = places.length ? [...document.querySelectorAll(SPOKEN)].map(textOf) : [];
  for (const place of places) {
    const wanted = plain(place.dataset.said);
    for (const one of words) {
      const start = one.text.indexOf(wanted, one.after.get(wanted) ?? 0);
      if (start < 0) continue;
      one.after.set(wanted, start + wanted.length); // said once more, it is another place
      said.push({ place, ranges: rangesOf(one, start, wanted.length) });
      break;
    }
  }
  CSS.highlights.set("said", new Highlight(...said.flatMap((one) => one.ranges)));
}

const plain = (text) => text.replace(/\s/g, "");

/** The text of an element without blanks, and where each of its letters stands: Markdown and colours change only blanks. */
function textOf(element) {
  const letters = [];
  let [text, line] = ["", 0];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let at = 0; at < node.length; at += 1) {
      if (node.data[at] === "\n") line += 1;
      if (/\s/.test(node.data[at])) continue;
      text += node.data[at];
      letters.push({ node, at, line });
    }
  }
  return { text, letters, after: new Map() };
}

/** A range for each line, so that what stands before its words is not marked. */
function rangesOf({ letters }, start, length) {
  const lines = Map.groupBy(letters.slice(start, start + length), (letter) => letter.line);
  return [...lines.values()].map((some) => {
    const range = new Range();
    range.setStart(some[0].node, some[0].at);
    range.setEnd(some.at(-1).node, some.at(-1).at + 1);
    return range;
  });
}

function light(place) {
  for (const one of document.querySelectorAll(".lit")) one.classList.remove("lit");
  CSS.highlights?.delete("lit");
  if (!place) return;
  place.classList.add("lit");
  place.closest("figure").querySelector(`.marks [data-mark="${place.dataset.mark}"]`)?.classList.add("lit");
  const words = said.find((one) => one.place === place);
  if (words) CSS.highlights.set("lit", new Highlight(...words.ranges));
}

/** The place whose words are under the pointer. */
function placeAt({ clientX, clientY }) {
  const within = ({ ranges }) => ranges.flatMap((range) => [...range.getClientRects()]).some((r) => r.left <= clientX && clientX <= r.right && r.top <= clientY && clientY <= r.bottom);
  return said.find(within)?.place ?? null;
}

document.addEventListener("pointermove", (event) => {
  const own = event.target.closest?.(".marks-legend [data-mark]");
  const found = own ?? (said.length && event.target.closest?.(".turn") ? placeAt(event) : null);
  if (found !== document.querySelector(".marks-legend .lit")) light(found);
});

function follow() {
  layOut(document);
  if (localStorage.getItem(EYE)) showEye(true);
  findSaid();
}

document.addEventListener("loupe:shown", follow);
document.addEventListener("htmx:afterSwap", follow);
follow();
