// The page: what is chosen, what runs, what is shown.

import * as backend from "./backend.js";
import { draw } from "./chart.js";
import { KINDS } from "./kinds.js";
import { Painter } from "./paint.js";
import { Viewer, paint } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const viewer = new Viewer($("frame"), $("after"), $("before"), $("divider"), $("compare"));
const painter = new Painter();
const KEPT = 16;  // pictures that are kept decoded

let about;
let image = null;       // what is chosen
let walk = null;        // what runs or has run: { run, started, steps, over, result }
let shown = 0;          // the step that is shown
let following = true;   // whether the newest step is shown as it comes
let playing = null;
let picked = false;     // whether a solver was chosen by hand for this kind of problem
let painting = false;   // whether the image is there to be painted on, where that is asked for
let choices = 0;        // how many images were chosen: an answer that comes late is not taken

function say(text, bad = false, where = "status") {
  $(where).textContent = text;
  $(where).classList.toggle("bad", bad);
}

// ---- what is chosen

function listKinds() {
  for (const kind of backend.kinds) $("kind").append(new Option(KINDS[kind].label, kind));
  listParameters();
}

function listParameters() {
  const { hint, parameters } = KINDS[$("kind").value];
  const rows = parameters.map((each) => {
    const row = document.createElement("div");
    const label = document.createElement("label");
    const range = document.createElement("input");
    const value = document.createElement("output");
    Object.assign(range, { type: "range", id: `set-${each.name}`, min: each.min, max: each.max, step: each.step });
    range.value = each.value;
    range.dataset.name = each.name;
    label.htmlFor = value.htmlFor = range.id;
    label.append(`${each.label}: `, value);
    const tell = () => { value.textContent = range.value; };
    range.addEventListener("input", tell);
    tell();
    row.append(label, range);
    if (each.automatic) row.append(automatic(range, value));
    return row;
  });
  if (hint) rows.unshift(Object.assign(document.createElement("p"), { className: "fine", textContent: hint }));
  $("parameters").replaceChildren(...rows);
  offerSolvers();
}

function automatic(range, value) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  Object.assign(box, { type: "checkbox", id: "automatic", checked: true });
  label.className = "check";
  label.append(box, "Estimate it");
  const tell = () => {
    range.disabled = box.checked;
    const level = box.checked ? image?.sigma : Number(range.value);
    value.textContent = level === undefined ? "estimated" : `${box.checked ? "about " : ""}${+level.toFixed(1)}`;
  };
  box.addEventListener("change", tell);
  tell();
  return label;
}

function degradation() {
  const wish = { kind: $("kind").value };
  if (wish.kind === "painted") wish.runs = painter.runs(about.limits.runs);
  for (const range of $("parameters").querySelectorAll("input[type=range]")) {
    wish[range.dataset.name] = range.disabled ? "auto" : Number(range.value);
  }
  return wish;
}

// A model of one channel takes colours one by one; one of three takes colour alone, but for grey
// images that are painted over.
function takes(solver) {
  const channels = image?.channels ?? 3;
  return solver.channels === 1 || solver.channels === channels || (channels === 1 && $("kind").value === "painted");
}

function offerSolvers() {
  const kind = $("kind").value;
  for (const option of $("solver").options) {
    option.disabled = !takes(about.solvers.find((each) => each.name === option.value));
  }
  const able = about.solvers.filter(takes).sort((one, other) => other.channels - one.channels);
  const suited = able.find((each) => each.trained.includes(kind))
    ?? able.find((each) => !each.learned) ?? able[0] ?? about.solvers[0];
  if (picked && takes(about.solvers.find((each) => each.name === $("solver").value))) return;
  picked = false;
  $("solver").value = suited.name;
  tellSolver();
}

function tellSolver() {
  const solver = about.solvers.find((each) => each.name === $("solver").value);
  const unseen = solver.learned && !solver.trained.includes($("kind").value);
  $("about-solver").textContent = solver.summary
    + (unseen ? ". It was never trained for this: see what its prior is worth." : "");
  $("about-solver").classList.toggle("note", unseen);
  $("steps").value = solver.steps;
  boundSteps();
}

// What all estimates of a walk may take is bounded, so large images have fewer steps.
function boundSteps() {
  let most = about.limits.steps;
  if (image) {
    const inside = $("inspect").checked ? 1 : 0;
    const each = image.width * image.height * (image.channels + 3 * inside) + inside * 768 ** 2;
    most = Math.max(1, Math.min(most, Math.floor(about.limits.frames / each) - 1));
  }
  $("steps").max = most;
  if (Number($("steps").value) > most) $("steps").value = most;
}

function listSamples() {
  const labels = about.samples.map((sample) => {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    const picture = document.createElement("img");
    Object.assign(radio, { type: "radio", name: "sample", value: sample.name });
    Object.assign(picture, { src: backend.preview(sample), alt: "" });
    radio.addEventListener("change", () => { choices += 1; choose(sample); });
    label.append(radio, picture, sample.title);
    return label;
  });
  $("samples").append(...labels);
}

function choose(chosen) {
  image = chosen;
  say(`${chosen.title}: ${chosen.width} × ${chosen.height}, ${chosen.channels === 1 ? "grey" : "colour"}`, false, "chosen");
  $("run").disabled = false;
  $("middle").hidden = true;
  $("automatic")?.dispatchEvent(new Event("change"));
  offerSolvers();
  boundSteps();
  letPaint(true);
}

// Shows the image to be painted on, or else the walk.
async function letPaint(wanted) {
  painting = wanted;
  const isAsked = $("kind").value === "painted";
  const open = painting && isAsked && image !== null;
  $("painting").hidden = !open;
  $("stage").hidden = $("panel").hidden = open || !walk?.started;
  $("repaint").hidden = !isAsked;
  if (!open) {
    painter.close();
    return walk?.started && chart(walk);
  }
  try {
    await painter.open(image, backend.look);
  } catch (error) {
    say(error.message, true);
  }
}

async function openFile(file) {
  const mine = ++choices;
  image = null;
  for (const radio of document.querySelectorAll("#samples input")) radio.checked = false;
  say(`Opening ${file.name} …`, false, "chosen");
  $("run").disabled = true;
  $("middle").hidden = true;
  letPaint(painting);
  try {
    if (file.size > about.limits.upload_bytes) {
      throw new Error(`The file has ${(file.size / 1e6).toFixed(0)} MB, ${about.limits.upload_bytes / 1e6} MB are taken here.`);
    }
    const opened = await backend.open(file, file.name);
    if (mine === choices) choose(opened);
  } catch (error) {
    if (mine !== choices) return;
    say(error.message, true, "chosen");
    offerMiddle(file, mine);
  }
}

// Of an image that is too large, the middle can be taken, if the browser can read it.
async function offerMiddle(file, mine) {
  let picture;
  try { picture = await createImageBitmap(file, { colorSpaceConversion: "none" }); } catch { return; }
  const share = Math.sqrt(about.limits.pixels / (picture.width * picture.height));
  if (share >= 1 || mine !== choices) return;
  const [width, height] = [picture.width, picture.height].map((side) => Math.floor(side * share));
  const button = $("middle");
  button.textContent = `Take its middle, ${width} × ${height}`;
  button.hidden = false;
  button.onclick = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const left = (picture.width - width) >> 1, top = (picture.height - height) >> 1;
    canvas.getContext("2d", { alpha: false }).drawImage(picture, -left, -top);
    canvas.toBlob((blob) => openFile(new File([blob], file.name)), "image/png");
  };
}

// ---- what runs

async function start() {
  let asked;
  try {
    asked = degradation();
  } catch (error) {
    say(error.message, true);
    letPaint(true);
    return scrollToView();
  }
  stopPlaying();
  walk?.run?.cancel();
  const wish = {
    image: image.name,
    degradation: asked,
    solver: $("solver").value,
    steps: Number($("steps").value),
    inspect: $("inspect").checked,
  };
  const mine = { wish, run: null, started: null, steps: [], pictures: new Map(), drawing: null, stopped: false };
  walk = mine;
  painting = false;
  following = true;
  shown = 0;
  const filling = document.activeElement === $("fill");  // which goes with the picture
  takeTurns($("run"), $("stop"));
  if (filling) $("stop").focus({ preventScroll: true });
  painter.close();
  $("download").hidden = true;
  $("moving").hidden = false;
  $("progress").value = 0;
  $("counter").textContent = "";
  say("Sent.");
  scrollToView();
  try {
    mine.run = await backend.run(wish);
    if (mine.stopped || walk !== mine) mine.run.cancel();
    for await (const event of mine.run.events()) {
      if (walk !== mine) break;
      await happen(mine, event);
    }
  } catch (error) {
    if (walk === mine) say(error.message, true);
  }
  if (walk !== mine) return;
  takeTurns($("stop"), $("run"));
  $("moving").hidden = true;
  if (!mine.started && !$("painting").hidden) letPaint(true);
}

function scrollToView() {
  if (matchMedia("(max-width: 55.9rem)").matches) $("view").scrollIntoView();
}

// Of the two buttons one can be pressed; the focus goes along, so that it is not lost.
function takeTurns(from, to) {
  const focused = document.activeElement === from;
  $("stop").hidden = false;  // what is hidden cannot have the focus
  $("run").disabled = to !== $("run") || image === null;
  if (focused) (to.disabled ? $("file") : to).focus({ preventScroll: true });
  $("stop").hidden = to !== $("stop");
}

async function happen(mine, event) {
  if (event.kind === "waiting") {
    say(event.ahead ? `In the queue: ${event.ahead} before you.` : "Next in the queue.");
  } else if (event.kind === "started") {
    mine.started = event;
    viewer.size(event.width, event.height);
    letPaint(painting);
    $("inside").hidden = !(mine.wish.inspect && event.steps > 0);
    say(`It walks. Noise: ${event.sigma.toFixed(1)} grey levels.`);
    listComparisons(mine);
    mine.compared = compareWith();
  } else if (event.kind === "step") {
    mine.steps.push(event);
    $("scrub").max = event.number;
    $("progress").value = event.number / Math.max(1, mine.started.steps);
    $("counter").textContent = `Step ${event.number} of ${mine.started.steps}, ${event.seconds.toFixed(1)} s`;
    if (following && mine.drawing === null) mine.drawing = showNewest(mine);
    else chart(mine);
  } else if (event.kind === "done") {
    await Promise.all([mine.compared, mine.drawing]);
    const { url, title } = await mine.run.result();
    Object.assign($("download"), { href: url, download: title });
    $("download").hidden = false;
    const { steps, sigma } = mine.started;
    const walked = `Done: ${steps} steps in ${event.seconds.toFixed(1)} s. Move through them below.`;
    const stayed = `Done. Noise: ${sigma.toFixed(1)} grey levels, so little that the image stays.`;
    say(steps > 0 ? walked : stayed);
  } else {
    const why = event.detail ? `: ${event.detail}` : "";
    say(event.kind === "cancelled" ? `Stopped${why}.` : event.detail, event.kind === "failed");
  }
}

// ---- what is shown

async function picture(mine, file) {
  if (!mine.pictures.has(file)) {
    const promise = mine.run.picture(file);
    promise.catch(() => mine.pictures.delete(file));
    mine.pictures.set(file, promise);
    if (mine.pictures.size > KEPT) mine.pictures.delete(mine.pictures.keys().next().value);
  }
  return mine.pictures.get(file);
}

function listComparisons(mine) {
  const { kind } = mine.wish.degradation;
  const first = kind === "painted" ? "as it was" : "measurement";
  const options = [new Option(first, "measurement"), new Option("start", "estimate-0")];
  if (!["photograph", "painted"].includes(kind)) options.push(new Option("truth", "truth"));
  $("against").replaceChildren(...options);
}

async function compareWith() {
  const mine = walk;
  if (!mine?.started) return;
  try {
    const other = await picture(mine, $("against").value);
    if (mine === walk) paint($("before"), other);
  } catch (error) {
    say(error.message, true);
  }
}

// Steps are not waited for by what draws them: on a slow line those are skipped that are behind.
async function showNewest(mine) {
  let drawn = -1;
  while (walk === mine && following && drawn < mine.steps.length - 1) {
    drawn = mine.steps.length - 1;
    await show(drawn);
  }
  mine.drawing = null;
}

async function show(number) {
  const mine = walk;
  const step = mine?.steps[number];
  if (!step) return;
  shown = number;
  $("scrub").value = number;
  const parts = [`${number}`];
  if (step.psnr !== null) parts.push(`${step.psnr.toFixed(2)} dB`);
  else if (step.change !== null) parts.push(`moved ${step.change.toPrecision(2)}`);
  $("at").textContent = parts.join(": ");
  $("scrub").setAttribute("aria-valuetext", `step ${parts.join(", ")}`);
  chart(mine);
  const wanted = [[$("after"), `estimate-${number}`, false]];
  if (!$("inside").hidden) wanted.push([$("score"), `score-${number}`, true], [$("state"), `state-${number}`, true]);
  for (const [canvas, file, fit] of wanted) {
    if (mine !== walk || shown !== number) return;
    try {
      const made = await picture(mine, file);
      if (mine === walk && shown === number) paint(canvas, made, { fit });
    } catch (error) {
      if (canvas === $("after")) say(error.message, true);
    }
  }
}

function chart(mine) {
  const known = mine.steps.some((step) => step.psnr !== null);
  const key = known ? "psnr" : "change";
  const points = mine.steps.filter((step) => step[key] !== null).map((step) => [step.number, step[key]]);
  draw($("chart"), points, {
    unit: known ? "PSNR in dB" : "size of the step in grey levels",
    now: shown,
    last: mine.started.steps,
    logarithmic: !known,
  });
  const last = points.at(-1);
  $("chart-caption").textContent = known
    ? `PSNR by step${last ? `: ${points[0][1].toFixed(2)} dB at the start, ${last[1].toFixed(2)} dB at step ${last[0]}` : ""}`
    : `How far each step went${last ? `: ${last[1].toPrecision(2)} grey levels at step ${last[0]}` : ""}; nobody knows the truth here`;
}

function go(number) {
  following = false;
  const last = (walk?.steps.length ?? 1) - 1;
  show(Math.min(last, Math.max(0, number)));
}

function stopPlaying() {
  clearInterval(playing);
  playing = null;
  $("play").innerHTML = "&#9654;";
  $("play").setAttribute("aria-label", "Play the steps");
}

function play() {
  if (playing !== null) return stopPlaying();
  const last = walk.steps.length - 1;
  if (shown >= last) go(0);
  $("play").innerHTML = "&#10074;&#10074;";
  $("play").setAttribute("aria-label", "Pause");
  const pause = Math.min(400, Math.max(60, 4000 / Math.max(1, last)));
  playing = setInterval(() => {
    if (shown >= walk.steps.length - 1) return stopPlaying();
    go(shown + 1);
  }, pause);
}

// ---- what a person does

$("kind").addEventListener("change", () => { picked = false; listParameters(); letPaint(true); });
$("repaint").addEventListener("click", () => { letPaint(true); $("brush").focus({ preventScroll: true }); });
$("solver").addEventListener("change", () => { picked = true; tellSolver(); });
$("controls").addEventListener("submit", (event) => { event.preventDefault(); if (image) start(); });
$("inspect").addEventListener("change", boundSteps);
$("stop").addEventListener("click", () => {
  if (!walk) return;
  walk.stopped = true;
  walk.run?.cancel();
});
$("stop").addEventListener("keydown", (event) => { if (event.repeat) event.preventDefault(); });  // held since the start
$("against").addEventListener("change", compareWith);
$("scrub").addEventListener("input", () => { stopPlaying(); go(Number($("scrub").value)); });
$("play").addEventListener("click", play);
$("enlarge").addEventListener("change", () => viewer.enlarge($("enlarge").checked ? 3 : 1));
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";  // the same file can be chosen again
  if (file) openFile(file);
});
$("view").addEventListener("keydown", (event) => {
  if (event.target !== $("view") || !walk?.steps.length) return;
  if (event.altKey || event.ctrlKey || event.metaKey) return;  // those are the browser's
  const actions = {
    ArrowLeft: () => go(shown - 1), ArrowRight: () => go(shown + 1), Home: () => go(0), End: () => go(Infinity),
    " ": play, ",": () => viewer.move(Number($("compare").value) - 5), ".": () => viewer.move(Number($("compare").value) + 5),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.remove("over"); });
}
document.addEventListener("drop", (event) => {
  if (event.dataTransfer?.files.length) openFile(event.dataTransfer.files[0]);
  else say("That was no file.", true, "chosen");
});

try {
  about = await backend.about();
  $("where").textContent = backend.where;
  $("version").textContent = `rimkit ${about.version}`;
  for (const solver of about.solvers) $("solver").append(new Option(solver.name, solver.name));
  listKinds();
  listSamples();
  say("Choose an image, and restore it.");
} catch (error) {
  say(error.message, true);
}
