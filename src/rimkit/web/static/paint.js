// What a visitor paints over an image with a brush: strokes, and the pixels that they cover.

import { $ } from "./dom.js";
import { displayed, paint } from "./viewer.js";

const COLOUR = [255, 0, 144, 150];  // red, green, blue, and how opaque
const LEAST = 0.75;  // radius: however thin, and wherever it begins, a stroke covers a pixel

// Covers the pixels whose middle is at most so far from a line; returns the box that they lie in, and how
// many of them were not covered before.
export function cover(mask, { width, height }, [[fromX, fromY], [toX, toY]], radius) {
  const left = Math.max(0, Math.floor(Math.min(fromX, toX) - radius));
  const right = Math.min(width, Math.ceil(Math.max(fromX, toX) + radius));
  const top = Math.max(0, Math.floor(Math.min(fromY, toY) - radius));
  const bottom = Math.min(height, Math.ceil(Math.max(fromY, toY) + radius));
  const alongX = toX - fromX, alongY = toY - fromY, square = alongX ** 2 + alongY ** 2 || 1;
  let added = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const x = column + 0.5 - fromX, y = row + 0.5 - fromY;
      const share = Math.min(1, Math.max(0, (x * alongX + y * alongY) / square));
      if ((x - share * alongX) ** 2 + (y - share * alongY) ** 2 > radius ** 2) continue;
      const place = row * width + column;
      added += 1 - mask[place];
      mask[place] = 1;
    }
  }
  return { left, top, width: Math.max(0, right - left), height: Math.max(0, bottom - top), added };
}

// Row by row: so many pixels are not covered, then so many are, then not, and so on.
export function runsOf(mask) {
  const runs = [0];
  let last = 0;
  for (const covered of mask) {
    if (covered !== last) runs.push(0);
    last = covered;
    runs[runs.length - 1] += 1;
  }
  return runs;
}

export class Painter {
  constructor() {
    this.name = null;     // of the image
    this.mask = new Uint8Array(0);
    this.covered = 0;     // so many pixels of the mask
    this.strokes = [];    // each { radius, points }; null: all before is wiped away
    this.pointer = null;  // that paints just now
    const marks = $("marks");
    marks.addEventListener("pointerdown", (event) => this.begin(event));
    marks.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "lostpointercapture"]) marks.addEventListener(end, (event) => this.end(event));
    marks.addEventListener("pointercancel", (event) => { if (this.end(event)) this.undo(); });  // it was two fingers
    $("brush").addEventListener("input", () => this.tellWidth());
    $("closer").addEventListener("change", () => this.fit());
    $("undo").addEventListener("click", () => this.undo());
    $("clear").addEventListener("click", () => this.clear());
  }

  // look: returns the picture of an image. Its strokes stay until another one is opened.
  async open(image, look) {
    $("painting").inert = false;
    if (image.name === this.name) return;
    const { name, width, height } = image;
    Object.assign(this, { name, strokes: [], pointer: null, mask: new Uint8Array(width * height) });
    for (const canvas of [$("photo"), $("marks")]) Object.assign(canvas, { width, height });
    $("brush").value = Math.round(Math.max(width, height) / 50);
    this.tellWidth();
    this.fit();
    this.draw();
    try {
      const picture = await look(image);
      if (this.name === name) paint($("photo"), picture);
    } catch (error) {
      if (this.name !== name) return;
      this.name = null;  // the next time it is tried again
      throw error;
    }
  }

  // Nothing more can be painted until it is opened again. A stroke that is being drawn ends here.
  close() {
    $("painting").inert = true;
    this.pointer = null;
    this.tellShare();
  }

  fit() {
    const factor = $("closer").checked ? 3 : 1;
    $("pad").classList.toggle("large", factor > 1);
    for (const canvas of [$("photo"), $("marks")]) canvas.style.width = displayed(canvas, factor);
  }

  begin(event) {
    if (event.button !== 0 || this.pointer !== null) return;
    event.preventDefault();
    this.pointer = event.pointerId;
    $("marks").setPointerCapture(event.pointerId);
    this.strokes.push({ radius: Math.max(LEAST, Number($("brush").value) / 2), points: [] });
    this.extend(event);
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    for (const each of event.getCoalescedEvents?.() ?? []) this.extend(each);
    this.extend(event);
  }

  end(event) {
    if (event.pointerId !== this.pointer) return false;
    this.pointer = null;
    this.tellShare();
    return true;
  }

  extend({ clientX, clientY }) {
    const canvas = $("marks"), box = canvas.getBoundingClientRect();
    const x = ((clientX - box.left) / box.width) * canvas.width;
    const y = ((clientY - box.top) / box.height) * canvas.height;
    const { radius, points } = this.strokes.at(-1);
    const [lastX, lastY] = points.at(-1) ?? [x, y];
    if (points.length && Math.hypot(x - lastX, y - lastY) < radius / 4) return;
    points.push([x, y]);
    const part = cover(this.mask, canvas, [[lastX, lastY], [x, y]], radius);
    this.covered += part.added;
    this.show(part);
  }

  undo() {
    if (this.pointer !== null) return;
    this.strokes.pop();
    this.draw();
  }

  clear() {
    if (this.pointer !== null || !this.covered) return;
    this.strokes.push(null);
    this.draw();
  }

  draw() {
    const canvas = $("marks");
    this.mask.fill(0);
    this.covered = 0;
    for (const { radius, points } of this.strokes.slice(this.strokes.lastIndexOf(null) + 1)) {
      points.forEach((point, at) => {
        this.covered += cover(this.mask, canvas, [points[at - 1] ?? point, point], radius).added;
      });
    }
    this.show({ left: 0, top: 0, width: canvas.width, height: canvas.height });
    this.tellShare();
  }

  show({ left, top, width, height }) {
    if (!width || !height) return;
    const picture = new ImageData(width, height);
    for (let place = 0; place < width * height; place++) {
      const row = top + Math.floor(place / width), column = left + (place % width);
      if (this.mask[row * $("marks").width + column]) picture.data.set(COLOUR, 4 * place);
    }
    $("marks").getContext("2d").putImageData(picture, left, top);
  }

  tellWidth() {
    $("brush-width").textContent = `${$("brush").value} pixels`;
  }

  tellShare() {
    const share = (100 * this.covered) / Math.max(1, this.mask.length);
    $("painted").textContent = share ? `${share < 0.1 ? "Less than 0.1" : share.toFixed(1)} % is painted.` : "Nothing is painted yet.";
  }

  // What the wish says; what cannot be filled in is an error. most: so many numbers are taken.
  runs(most) {
    if (!this.covered) throw new Error("Nothing is painted yet: paint over what is damaged, then restore.");
    if (this.covered === this.mask.length) throw new Error("Everything is painted: leave something to go by.");
    const runs = runsOf(this.mask);
    if (runs.length > most) throw new Error("That is painted too finely: take a wider brush.");
    return runs;
  }
}
