// Pictures of a request that is replayed, taken for others: a file of the same type, or a part of the same picture that was
// dragged out in the lightbox (`#crop=i0:x,y,width,height`). The body holds a picture by its hash; as it is sent, the bytes
// of the new one stand there instead.
const swaps = new Map();
const CROP = /^#crop=(\w+):(\d+),(\d+),(\d+),(\d+)$/;

const base64 = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

async function swap(item, blob, bitmap, words) {
  swaps.set(item.dataset.token, await base64(blob));
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  putBack(item, { only: "picture" });
  item.querySelector(".thumb")?.setAttribute("hidden", "");
  item.prepend(canvas);
  item.querySelector(".swap-state").textContent = `${words}, ${bitmap.width} × ${bitmap.height}`;
  item.querySelector(".swap-back").hidden = false;
}

function putBack(item, { only } = {}) {
  item.querySelector("canvas")?.remove();
  item.querySelector(".thumb")?.removeAttribute("hidden");
  item.querySelector(".swap-state").textContent = "";
  item.querySelector(".swap-back").hidden = true;
  if (!only) swaps.delete(item.dataset.token);
}

async function cropped(item, x, y, width, height) {
  const whole = await createImageBitmap(await (await fetch(item.dataset.address)).blob());
  const part = await createImageBitmap(whole, x, y, width, height);
  const canvas = Object.assign(document.createElement("canvas"), { width: part.width, height: part.height });
  canvas.getContext("2d").drawImage(part, 0, 0);
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve, item.dataset.type, 0.95); });
  if (blob.type !== item.dataset.type) throw new Error(`This browser writes no ${item.dataset.type}.`);
  await swap(item, blob, part, "cropped");
}

/** The body with what was taken for its pictures. */
export function swapped(text) {
  let made = text;
  for (const [token, data] of swaps) made = made.replaceAll(token, data);
  return made;
}

export async function followCrop() {
  const [, number, ...box] = CROP.exec(location.hash) ?? [];
  const item = number && document.querySelector(`.swap[data-number="${number}"]`);
  if (item) await cropped(item, ...box.map(Number));
}

document.addEventListener("change", async (event) => {
  const [file] = event.target.closest(".swap") ? event.target.files ?? [] : [];
  const item = event.target.closest(".swap");
  if (!file) return;
  const said = item.querySelector(".swap-state");
  if (file.type !== item.dataset.type) said.textContent = `Take a file of the type ${item.dataset.type}: the body says that it is one.`;
  else await swap(item, file, await createImageBitmap(file), "swapped").catch(() => { said.textContent = "This file cannot be drawn."; });
});
document.addEventListener("click", (event) => {
  if (event.target.closest(".swap-back")) putBack(event.target.closest(".swap"));
});
