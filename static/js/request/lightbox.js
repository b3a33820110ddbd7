// A picture over the whole window: arrows step through the page's pictures, a click or `z` shows it pixel for pixel and
// dragging then moves it, Esc closes. The address names the open picture, so that it can be sent to somebody.
const box = document.getElementById("lightbox");
const image = document.getElementById("lightbox-image");
const caption = document.getElementById("lightbox-caption");
const download = document.getElementById("lightbox-download");
let links = [];
let at = 0;
let drag = null;

/** `…/logs/<log>/images/i0` as the `#<log>-i0` of an address. */
const nameOf = (link) => `#${link.pathname.split("/logs/").pop().replace("/images/", "-")}`;

function name(hash) {
  history.replaceState(history.state, "", location.pathname + location.search + hash);
}

function followAddress() {
  const link = location.hash && [...document.querySelectorAll("a[data-lightbox]")].find((one) => nameOf(one) === location.hash);
  if (link && !box.open) open(link);
}

function show(index) {
  at = (index + links.length) % links.length;
  name(nameOf(links[at]));
  box.classList.remove("full");
  image.src = links[at].href;
  image.alt = links[at].querySelector("img")?.alt ?? "";
  download.href = links[at].href;
  caption.textContent = `${links[at].dataset.caption}  ${links.length > 1 ? `(${at + 1} of ${links.length})` : ""}`;
}

function open(link) {
  const seen = new Set();
  links = [...document.querySelectorAll("a[data-lightbox]")].filter((one) => !seen.has(one.href) && seen.add(one.href));
  box.showModal();
  show(links.findIndex((one) => one.href === link.href));
}

const KEYS = {
  ArrowRight: () => show(at + 1),
  ArrowLeft: () => show(at - 1),
  z: () => box.classList.toggle("full"),
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-lightbox]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    open(link);
  }
});
box?.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.lightboxStep) show(at + Number(button.dataset.lightboxStep));
  else if (button || event.target === box) box.close();
  else if (event.target === image && !drag?.moved) box.classList.toggle("full");
});
box?.addEventListener("pointerdown", (event) => {
  if (event.target !== image || !box.classList.contains("full")) return;
  event.preventDefault();
  drag = { x: event.clientX + box.scrollLeft, y: event.clientY + box.scrollTop, moved: false, down: true };
});
box?.addEventListener("pointermove", (event) => {
  if (!drag?.down) return;
  drag.moved ||= Math.abs(drag.x - box.scrollLeft - event.clientX) + Math.abs(drag.y - box.scrollTop - event.clientY) > 4;
  box.scrollTo(drag.x - event.clientX, drag.y - event.clientY);
});
box?.addEventListener("pointerup", () => {
  if (!drag) return;
  drag.down = false;
  setTimeout(() => { drag = null; }, 0); // after the click that follows
});
box?.addEventListener("keydown", (event) => KEYS[event.key]?.());
box?.addEventListener("close", () => {
  image.removeAttribute("src");
  name("");
});
document.addEventListener("loupe:shown", followAddress);
followAddress();
