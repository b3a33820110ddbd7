// A picture over the whole window. The wheel, two fingers, + and - zoom at the pointer; dragging moves it; `0` shows it whole,
// `1` pixel for pixel, arrows step through the page's pictures, Esc closes. What is drawn on it in the page is drawn here, too.
// Beside it stands, in step, what the model sees of it or the next picture. The address names the open picture, so that it can
// be sent to somebody.
import { Sheet, View } from "./sheet.js";

const box = document.getElementById("lightbox");
const beside = document.getElementById("lightbox-beside");
const PLAY_MS = 1000;
const sheets = box ? [...box.querySelectorAll(".lightbox-pane")].map((pane) => new Sheet(pane)) : [];
const view = new View();
const shows = { eye: false, marks: true, stored: false, beside: "", crop: false };
let corner = null;
let links = [];
let at = 0;
let playing = 0;

/** `…/logs/<log>/images/i0` as the `#<log>-i0` of an address. */
const nameOf = (link) => `#${link.pathname.split("/logs/").pop().replace("/images/", "-")}`;

function name(hash) {
  history.replaceState(history.state, "", location.pathname + location.search + hash);
}

function followAddress() {
  const link = location.hash && [...document.querySelectorAll("a[data-lightbox]")].find((one) => nameOf(one) === location.hash);
  if (link && !box.open) open(link);
}

function open(link) {
  const seen = new Set();
  links = [...document.querySelectorAll("a[data-lightbox]")].filter((one) => !seen.has(one.href) && seen.add(one.href));
  shows.eye = Boolean(link.closest("figure")?.querySelector(".show-eye:checked"));
  box.showModal();
  show(links.findIndex((one) => one.href === link.href));
}

async function show(index) {
  at = (index + links.length) % links.length;
  const link = links[at];
  name(nameOf(link));
  shows.stored = shows.crop = false;
  document.getElementById("lightbox-download").href = link.href;
  document.getElementById("lightbox-caption").textContent =
    `${link.dataset.caption}  ${links.length > 1 ? `(${at + 1} of ${links.length})` : ""}`;
  box.setAttribute("aria-busy", "true");
  await sheets[0].show(link);
  await showBeside();
  box.removeAttribute("aria-busy");
  fit();
}

/** What may stand beside the picture: the model's view of it, where its rule is known, and the next picture. */
const choices = () => ["", ...(links[at].dataset.seen ? ["seen"] : []), ...(links.length > 1 ? ["next"] : [])];

async function showBeside() {
  if (!choices().includes(shows.beside)) shows.beside = "";
  beside.hidden = !shows.beside;
  if (shows.beside === "seen") await sheets[1].showSeen(links[at], sheets[0].picture);
  if (shows.beside === "next") await sheets[1].show(links[(at + 1) % links.length]);
}

function draw() {
  for (const one of sheets) one.draw(view, sheets[0], shows);
  document.getElementById("lightbox-scale").textContent = `${Math.round(view.scale * devicePixelRatio * 100)}%`;
  for (const what of ["eye", "marks", "stored", "crop"]) press(what, Boolean(shows[what]));
  box.classList.toggle("cropping", shows.crop);
  press("beside", shows.beside !== "");
  press("play", playing !== 0);
  hide("eye", !sheets[0].has(".eye"));
  hide("marks", !sheets[0].has(".marks"));
  hide("stored", !links[at]?.dataset.turned);
  hide("beside", choices().length < 2);
  hide("crop", !links[at]?.dataset.replay);
  for (const what of ["play", "previous", "next"]) hide(what, links.length < 2);
}

const button = (what) => box.querySelector(`[data-lightbox="${what}"]`);
const press = (what, on) => button(what).setAttribute("aria-pressed", on);
const hide = (what, hidden) => { button(what).hidden = hidden; };

function fit() {
  view.fit(sheets[0]);
  draw();
}

function zoom(factor, point = sheets[0].middle) {
  view.zoom(factor, point);
  draw();
}

/** True pixels around a point, or the whole again. */
function toggle(point = sheets[0].middle) {
  if (!view.isWhole) return fit();
  zoom(1 / devicePixelRatio / view.scale, point);
}

async function act(what) {
  await ACTS[what]?.();
  if (what !== "close") draw();
}

const ACTS = {
  eye: () => { shows.eye = !shows.eye; },
  marks: () => { shows.marks = !shows.marks; },
  stored: () => { shows.stored = Boolean(links[at].dataset.turned) && !shows.stored; sheets[0].turn(shows.stored); fit(); },
  beside: async () => { shows.beside = choices()[(choices().indexOf(shows.beside) + 1) % choices().length]; await showBeside(); fit(); },
  play: () => { playing = playing ? stop() : setInterval(() => show(at + 1), PLAY_MS); },
  crop: () => { sheets[0].unframe(); shows.crop = Boolean(links[at].dataset.replay) && !shows.crop; },
  in: () => zoom(1.25),
  out: () => zoom(0.8),
  whole: fit,
  true: () => zoom(1 / devicePixelRatio / view.scale),
  toggle: () => toggle(),
  previous: () => show(at - 1),
  next: () => show(at + 1),
  close: () => box.close(),
};
const KEYS = {
  ArrowRight: "next", ArrowLeft: "previous", 0: "whole", 1: "true", "+": "in", "=": "in", "-": "out", z: "toggle",
  e: "eye", m: "marks", o: "stored", b: "beside", p: "play", c: "crop",
};

function stop() {
  clearInterval(playing);
  return 0;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-lightbox]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    open(link);
  }
});
box?.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-lightbox]");
  if (pressed) act(pressed.dataset.lightbox);
});
box?.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  act(KEYS[event.key]);
});
box?.addEventListener("close", () => {
  playing = stop();
  sheets[0].picture.removeAttribute("src");
  name("");
});

// Fingers and the mouse

const pointers = new Map();
let moved = false;

const within = (event) => {
  const area = event.target.closest(".lightbox-pane").getBoundingClientRect();
  return { x: event.clientX - area.left, y: event.clientY - area.top };
};

function gesture() {
  const all = [...pointers.values()];
  const middle = { x: all.reduce((sum, one) => sum + one.x, 0) / all.length, y: all.reduce((sum, one) => sum + one.y, 0) / all.length };
  return { middle, spread: all.length > 1 ? Math.hypot(all[0].x - all[1].x, all[0].y - all[1].y) : 0 };
}

/** The request again, with what was dragged out in the place of the picture. */
function askWithCrop(part) {
  if (part && part.width > 4 && part.height > 4) {
    const number = links[at].pathname.split("/").pop();
    location.assign(`${links[at].dataset.replay}#crop=${number}:${part.x},${part.y},${part.width},${part.height}`);
  }
}

const panes = document.getElementById("lightbox-panes");
panes?.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
  zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), within(event));
}, { passive: false });
panes?.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  if (!pointers.size) moved = false;
  if (shows.crop) corner = sheets[0].pixelAt(view, within(event));
  event.target.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, within(event));
});
panes?.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) return;
  const before = gesture();
  pointers.set(event.pointerId, within(event));
  if (shows.crop) return sheets[0].frame(corner, sheets[0].pixelAt(view, within(event)));
  const after = gesture();
  moved ||= Math.hypot(after.middle.x - before.middle.x, after.middle.y - before.middle.y) > 3 || pointers.size > 1;
  if (!moved) return pointers.set(event.pointerId, { ...before.middle });
  view.move(after.middle.x - before.middle.x, after.middle.y - before.middle.y);
  if (before.spread && after.spread) view.zoom(after.spread / before.spread, after.middle);
  draw();
});
for (const end of ["pointerup", "pointercancel"]) {
  panes?.addEventListener(end, (event) => {
    const was = pointers.delete(event.pointerId);
    if (shows.crop && was) return askWithCrop(sheets[0].framed);
    if (!was || pointers.size || moved || end === "pointercancel") return;
    const on = document.elementFromPoint(event.clientX, event.clientY);
    if (on?.closest(".lightbox-sheet")) toggle(within(event));
    else box.close();
  });
}
window.addEventListener("resize", () => { if (box?.open) fit(); });
document.addEventListener("loupe:shown", followAddress);
if (box) followAddress();
