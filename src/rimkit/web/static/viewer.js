// Two pictures over each other, and a line between them that can be moved.

export class Viewer {
  // frame holds both canvases and the divider; compare is the range that moves the line.
  constructor(frame, after, before, divider, compare) {
    Object.assign(this, { frame, after, before, divider, compare });
    compare.addEventListener("input", () => this.place());
    let held = false;
    const move = (event) => {
      const box = frame.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      this.move(100 * share);
    };
    frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held = true;
      frame.setPointerCapture(event.pointerId);
      move(event);
    });
    frame.addEventListener("pointermove", (event) => { if (held) move(event); });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => { held = false; });
    this.place();
  }

  // How much of the picture, from the left, shows what it is compared with: 0 to 100.
  move(share) {
    this.compare.value = Math.round(Math.min(100, Math.max(0, share)));
    this.place();
  }

  place() {
    const share = Number(this.compare.value);
    this.before.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.divider.style.left = `${share}%`;
    this.compare.setAttribute("aria-valuetext", `${share} % of the picture is the one compared with`);
  }

  size(width, height) {
    for (const canvas of [this.after, this.before]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    this.enlarge(this.factor || 1);
  }

  enlarge(factor) {
    this.factor = factor;
    this.frame.classList.toggle("large", factor > 1);
    for (const canvas of [this.after, this.before]) canvas.style.width = displayed(canvas, factor);
  }
}

// How wide a picture is shown: small ones larger than they are, as far as there is room.
export function displayed({ width, height }, factor) {
  const shown = factor * Math.max(1, Math.min(3, 640 / width));
  const whole = factor > 1 ? "" : `, ${79 * width / height}vh`;  // the stage has 80vh
  return `min(${width * shown}px${whole})`;
}

export function paint(canvas, picture, { fit = false } = {}) {
  if (fit) Object.assign(canvas, { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
}
