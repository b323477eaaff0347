// The steps of a walk: their pictures, the curve, and how one moves through them.

import { draw } from "./chart.js";
import { $, say } from "./dom.js";
import { Viewer, paint } from "./viewer.js";

const KEPT = 16;  // pictures that are kept decoded
const viewer = new Viewer($("frame"), $("after"), $("before"), $("divider"), $("compare"));

export let walk = null;  // that is shown: { wish, run, started, steps, pictures, compared, drawing, stopped }
let shown = 0;           // the step that is shown
let following = true;    // whether the newest step is shown as it comes
let playing = null;

// Shows another walk, of which nothing has come yet.
export function follow(mine) {
  stopPlaying();
  walk = mine;
  following = true;
  shown = 0;
}

export function showStart(mine) {
  viewer.size(mine.started.width, mine.started.height);
  $("inside").hidden = !(mine.wish.inspect && mine.started.steps > 0);
  listComparisons(mine);
  mine.compared = compareWith();
}

export function addStep(mine, step) {
  mine.steps.push(step);
  $("scrub").max = step.number;
  if (following && mine.drawing === null) mine.drawing = showNewest(mine);
  else chart(mine);
}

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

export function chart(mine) {
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

$("against").addEventListener("change", compareWith);
$("scrub").addEventListener("input", () => { stopPlaying(); go(Number($("scrub").value)); });
$("play").addEventListener("click", play);
$("enlarge").addEventListener("change", () => viewer.enlarge($("enlarge").checked ? 3 : 1));
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
