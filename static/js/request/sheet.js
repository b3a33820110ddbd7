// What the lightbox lays out: a picture in its own pixels with what is drawn on it, moved and scaled by a view that several
// sheets share, so that they show the same part of what they hold.
const MOST = 32;
const PIXELATED_FROM = 2.5;

export class View {
  scale = 1;
  x = 0;
  y = 0;
  isWhole = true;

  /** The whole of a sheet's picture, in the middle; a small one is enlarged a little. */
  fit(sheet) {
    const { width, height } = sheet.pane.getBoundingClientRect();
    this.scale = Math.min(width / sheet.width, height / sheet.height, 4);
    this.least = Math.min(this.scale, 1) / 2;
    this.x = (width - sheet.width * this.scale) / 2;
    this.y = (height - sheet.height * this.scale) / 2;
    this.isWhole = true;
  }

  /** What is under the point stays under it. */
  zoom(factor, point) {
    const scale = Math.min(Math.max(this.scale * factor, this.least), MOST);
    const real = scale / this.scale;
    this.x = point.x - (point.x - this.x) * real;
    this.y = point.y - (point.y - this.y) * real;
    this.scale = scale;
    this.isWhole = false;
  }

  move(x, y) {
    this.x += x;
    this.y += y;
    this.isWhole = false;
  }
}

export class Sheet {
  constructor(pane) {
    this.pane = pane;
    this.sheet = pane.querySelector(".lightbox-sheet");
    this.picture = pane.querySelector("img") ?? this.sheet.appendChild(Object.assign(new Image(), { draggable: false }));
    this.width = this.height = 1;
  }

  get middle() {
    const { width, height } = this.pane.getBoundingClientRect();
    return { x: width / 2, y: height / 2 };
  }

  has = (what) => Boolean(this.sheet.querySelector(what));

  /** A picture of the page, with what is drawn on it there. */
  async show(link) {
    const drawn = [...(link.closest("figure")?.querySelectorAll(".picture-box > svg") ?? [])].map((svg) => svg.cloneNode(true));
    this.picture.src = link.href;
    this.picture.alt = link.querySelector("img")?.alt ?? "";
    this.sheet.replaceChildren(this.picture, ...drawn);
    this.picture.style.imageOrientation = "";
    this.unframe();
    await this.picture.decode().catch(() => {});
    this.upright = [this.picture.naturalWidth || 1, this.picture.naturalHeight || 1];
    this.liesOnItsSide = Number(link.dataset.turned) >= 5;
    this.size(...this.upright);
  }

  /** The picture in as many pixels as the model gets of it. */
  async showSeen(link, original) {
    await original.decode().catch(() => {});
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = link.dataset.seen.split("x").map(Number);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(original, 0, 0, canvas.width, canvas.height);
    this.sheet.replaceChildren(canvas);
    this.size(canvas.width, canvas.height);
  }

  /** As it is stored, without the turn that EXIF asks for, or upright. */
  turn(asStored) {
    this.picture.style.imageOrientation = asStored ? "none" : "";
    this.size(...(asStored && this.liesOnItsSide ? this.upright.toReversed() : this.upright));
  }

  size(width, height) {
    Object.assign(this, { width, height });
    this.sheet.style.width = `${width}px`;
    this.sheet.style.height = `${height}px`;
  }

  /** The pixel of the picture at a point of the pane. */
  pixelAt(view, point) {
    const inside = (at, most) => Math.round(Math.min(Math.max(at / view.scale, 0), most));
    return { x: inside(point.x - view.x, this.width), y: inside(point.y - view.y, this.height) };
  }

  /** Draws a frame between two pixels, and remembers it. */
  frame(one, other) {
    const [x, y] = [Math.min(one.x, other.x), Math.min(one.y, other.y)];
    this.framed = { x, y, width: Math.abs(one.x - other.x), height: Math.abs(one.y - other.y) };
    const mark = this.sheet.querySelector(".frame") ?? this.sheet.appendChild(Object.assign(document.createElement("i"), { className: "frame" }));
    for (const [name, value] of Object.entries({ left: x, top: y, width: this.framed.width, height: this.framed.height })) mark.style[name] = `${value}px`;
  }

  unframe() {
    this.framed = null;
    this.sheet.querySelector(".frame")?.remove();
  }

  draw(view, first, shows) {
    const scale = view.scale * first.width / this.width;
    this.sheet.style.transform = `translate(${view.x}px, ${view.y}px) scale(${scale})`;
    this.sheet.style.setProperty("--thick", 1 / scale); // lines are as thick at any scale
    this.sheet.classList.toggle("pixelated", scale * devicePixelRatio >= PIXELATED_FROM);
    for (const [what, selector] of [["eye", ".eye"], ["marks", ".marks"]]) {
      for (const one of this.sheet.querySelectorAll(selector)) one.style.visibility = shows[what] && !shows.stored ? "visible" : "hidden";
    }
  }
}
