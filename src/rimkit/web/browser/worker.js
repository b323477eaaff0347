// The computing thread: one walk at a time, step by step, by onnxruntime.

import * as ort from "./vendor/ort.wasm.min.mjs";
import { load } from "./load.js";
import { averaged, grey, planes, psnr, rms, rgba, sheet, signed } from "./looks.js";
import { fill, measure, quiet, score } from "./problem.js";
import { estimateSigma } from "./sigma.js";

ort.env.wasm.wasmPaths = new URL("./vendor/", self.location.href).href;
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;

const sessions = new Map();
let walk = null;
let starts = 0;

async function session(solver) {
  if (!sessions.has(solver.file)) sessions.set(solver.file, await opened(solver.file));
  return sessions.get(solver.file);
}

async function opened(file) {
  const answer = await load(file);
  try {
    return await ort.InferenceSession.create(new Uint8Array(await answer.arrayBuffer()), { executionProviders: ["wasm"] });
  } catch (error) {
    throw new Error(`The model ${file} cannot be run in this browser (${error?.message ?? error}).`);
  }
}

// Returns sigma and channels of an image.
function examine({ pixels }) {
  const channels = grey(pixels) ? 1 : 3;
  const values = planes(pixels, channels);
  const sigma = estimateSigma(values, channels, pixels.height, pixels.width);
  return { channels, sigma: 255 * sigma };
}

async function start({ wish, pixels, solver }) {
  starts += 1;
  const turn = starts;
  const loaded = await session(solver);
  own(turn);
  const { width, height } = pixels;
  const channels = solver.channels === 1 && grey(pixels) ? 1 : 3;
  const image = planes(pixels, channels);
  const size = { channels, height, width };
  let { degradation } = wish;
  if (degradation.sigma === "auto") {
    degradation = { ...degradation, sigma: 255 * estimateSigma(image, channels, height, width) };
  }
  const measured = measure(image, degradation, { ...size, levels: solver.levels, seenSigma: solver.seen_sigma });
  const painted = degradation.kind === "painted";
  // Samples of a model of one channel are the colours.
  const shape = solver.channels === 1 ? [channels, 1, height, width] : [1, channels, height, width];
  const filled = measured.mask ? fill(measured.y, measured.mask, size) : measured.y;
  const initial = painted ? planes(rgba(filled, size), channels) : filled;  // as a file holds it
  const eta = solver.start === "zeros" ? new Float32Array(image.length) : initial;
  // So little noise that the model would add more errors than it takes away: the image stays.
  const little = degradation.kind === "photograph" && measured.sigma < solver.least_sigma;
  walk = {
    ...measured, size, shape, solver, session: loaded,
    once: channels > 1 && grey(pixels),  // a grey image, shown three times
    still: stays(image, measured, degradation, size),
    eta, x: eta, states: null, before: null,
  };
  const files = { measurement: rgba(painted ? image : measured.y, size) };
  if (measured.truth) files.truth = rgba(measured.truth, size);
  return { facts: { steps: little || measured.sigma === 0 ? 0 : wish.steps, width, height, sigma: 255 * measured.sigma }, files, turn };
}

// Where the image stays: it shows no noise, or is not painted over.
function stays(image, { mask }, { kind, sigma }, size) {
  if (kind === "photograph") return quiet(image, size);
  return kind === "painted" && sigma === 0 ? image.map((_, place) => mask[place % mask.length]) : null;
}

function emptyStates({ solver, shape }) {
  return solver.states.map(({ channels, stride }) => {
    const dims = [shape[0], channels, Math.ceil(shape[2] / stride), Math.ceil(shape[3] / stride)];
    return new ort.Tensor("float32", new Float32Array(dims.reduce((a, b) => a * b)), dims);
  });
}

// Another image may have been started while one was computed, or before its next step.
function own(turn) {
  if (turn !== starts) throw new Error("Another image was started.");
}

async function step({ turn, number, inspect }) {
  own(turn);
  walk.states ??= emptyStates(walk);
  const feeds = {
    eta: new ort.Tensor("float32", walk.eta, walk.shape),
    score: new ort.Tensor("float32", score(walk, walk.x, walk.solver.variance_floor), walk.shape),
  };
  walk.states.forEach((state, index) => { feeds[`state_${index}`] = state; });
  const made = await walk.session.run(feeds);
  own(turn);
  walk.eta = made.eta_next.data;
  walk.x = made.x_next.data;
  walk.states = walk.states.map((_, index) => made[`state_${index}_next`]);
  return look({ turn, number, inspect });
}

// Pictures and numbers of where the walk stands.
function look({ turn, number, inspect }) {
  own(turn);
  const { size } = walk;
  const x = walk.once ? averaged(walk.x, size) : walk.x;
  const shown = walk.still ? x.map((value, place) => (walk.still[place] ? walk.y[place] : value)) : x;
  const files = { [`estimate-${number}`]: rgba(shown, size) };
  if (inspect && walk.sigma > 0) {
    walk.states ??= emptyStates(walk);
    files[`score-${number}`] = signed(score(walk, walk.x, walk.solver.variance_floor), size);
    if (walk.states.length) files[`state-${number}`] = sheet(walk.states[0]);
  }
  const change = walk.before ? 255 * rms(shown, walk.before) : null;
  walk.before = shown;
  return { files, change, psnr: walk.truth ? psnr(shown, walk.truth) : null };
}

const TASKS = { examine, start, step, look };

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ reply: data.reply, answer: await TASKS[data.kind](data) });
  } catch (error) {
    self.postMessage({ reply: data.reply, error: `${error?.message ?? error}` });
  }
};
