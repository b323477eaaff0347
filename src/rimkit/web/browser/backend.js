// Runs the model in this browser: what stands in for the server on the page without one.

import { load } from "./load.js";

const images = new Map();
let count = 0;
let about_ = null;

export const where = "Everything happens in this browser: no image leaves it.";
export const kinds = ["noise", "photograph", "missing", "painted"];

export async function about() {
  const answer = await load("about.json");
  try {
    about_ = await answer.json();
  } catch {
    throw new Error("about.json is not what `rimkit serve --export` wrote. Is the folder whole?");
  }
  return about_;
}

// A canvas has 8 bits, and a browser does not say what it cuts off: bits are byte 24 of a PNG.
async function refuseDeep(blob) {
  const head = new Uint8Array(await blob.slice(0, 25).arrayBuffer());
  const png = [0x89, 0x50, 0x4e, 0x47].every((byte, place) => head[place] === byte);
  if (png && head[24] > 8) throw new Error("It has 16 bits: only `rimkit serve` and `rimkit restore` take that.");
}

// RGBA of 8 bits: as it stands in the file, or, where that has a colour profile, as sRGB, for what
// is handed back has none.
async function decoded(blob) {
  await refuseDeep(blob);
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none" });
  } catch {
    throw new Error("This browser cannot read it as an image.");
  }
  const { width, height } = bitmap;
  if (width * height > about_.limits.pixels) {
    throw new Error(`An image of ${width}x${height} is too large here: ${about_.limits.pixels} pixels are taken.`);
  }
  if (Math.min(width, height) < 8) throw new Error(`Images must be at least 8x8, this is ${width}x${height}.`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, width, height);
  for (let place = 3; place < pixels.data.length; place += 4) {
    if (pixels.data[place] !== 255) throw new Error("It is transparent: only `rimkit serve` and `rimkit restore` take that.");
  }
  return pixels;
}

export async function open(file, title) {
  if (file.size === 0) throw new Error("The file is empty.");
  const pixels = await decoded(file);
  const name = `image-${count++}`;
  images.set(name, { pixels, title });
  const facts = await request({ kind: "examine", pixels });
  return { name, title: title.replace(/\.[^.]{1,5}$/, ""), width: pixels.width, height: pixels.height, ...facts };
}

export function preview(image) {
  return `samples/${image.name.replace("sample-", "")}.png`;
}

export async function look(image) {
  return createImageBitmap((await pixelsOf(image.name)).pixels);
}

// ---- the thread that computes

let worker = null;
let nextReply = 0;
const replies = new Map();

function thread() {
  if (worker === null) {
    worker = new Worker("worker.js", { type: "module" });
    worker.onmessage = ({ data }) => replies.get(data.reply)?.(data);
    worker.onerror = (event) => {
      worker.terminate();
      worker = null;  // the next request tries again
      for (const reply of [...replies.values()]) reply({ error: event.message || "The computing thread failed." });
    };
  }
  return worker;
}

function request(message) {
  return new Promise((done, fail) => {
    const reply = nextReply++;
    replies.set(reply, (data) => {
      replies.delete(reply);
      if (data.error) fail(new Error(data.error)); else done(data.answer);
    });
    thread().postMessage({ ...message, reply });
  });
}

async function pixelsOf(name) {
  if (!images.has(name)) {
    const answer = await load(`samples/${name.replace("sample-", "")}.png`);
    images.set(name, { pixels: await decoded(await answer.blob()), title: name.replace("sample-", "") });
  }
  return images.get(name);
}

export async function run(wish) {
  const { pixels, title } = await pixelsOf(wish.image);
  const solver = about_.solvers.find((each) => each.name === wish.solver);
  const began = performance.now();
  const pictures = new Map();
  let cancelled = false;
  let last = null;

  async function* events() {
    try {
      yield* walked();
    } catch (error) {
      if (!cancelled) throw error;
      yield { kind: "cancelled" };
    }
  }

  async function* walked() {
    if (wish.steps > about_.limits.steps) throw new Error(`At most ${about_.limits.steps} steps.`);
    yield { kind: "waiting", ahead: 0 };
    const { facts, files, turn } = await request({ kind: "start", wish, pixels, solver });
    for (const [file, picture] of Object.entries(files)) pictures.set(file, picture);
    yield { kind: "started", ...facts };
    for (let number = 0; number <= facts.steps && !cancelled; number++) {
      const made = await request({ kind: number ? "step" : "look", turn, number, inspect: wish.inspect });
      for (const [file, picture] of Object.entries(made.files)) pictures.set(file, picture);
      last = `estimate-${number}`;
      const seconds = (performance.now() - began) / 1000;
      yield { kind: "step", number, psnr: made.psnr, change: made.change, seconds };
    }
    if (cancelled) yield { kind: "cancelled" };
    else yield { kind: "done", seconds: (performance.now() - began) / 1000 };
  }

  return {
    events,
    cancel() { cancelled = true; },
    async picture(file) {
      return createImageBitmap(pictures.get(file));
    },
    async result() {
      const picture = pictures.get(last);
      const canvas = new OffscreenCanvas(picture.width, picture.height);
      canvas.getContext("2d").putImageData(picture, 0, 0);
      const blob = await canvas.convertToBlob({ type: "image/png" });
      return { url: URL.createObjectURL(blob), title: `${title.replace(/\.[^.]{1,5}$/, "")}-restored.png` };
    },
  };
}
