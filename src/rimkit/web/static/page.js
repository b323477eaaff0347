// The page: what runs, and whether one sees that or paints.

import * as backend from "./backend.js";
import { degradation, offerControls, suitImage } from "./controls.js";
import { $, say } from "./dom.js";
import { image, offerImages } from "./images.js";
import { Painter } from "./paint.js";
import { addStep, chart, follow, showStart, walk } from "./steps.js";

const painter = new Painter();

let limits;
let painting = false;  // whether the image is there to be painted on, where that is asked for

function changed() {
  if (image) suitImage();
  letPaint(painting || image !== null);
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

async function start() {
  let asked;
  try {
    asked = degradation();
    if (asked.kind === "painted") asked.runs = painter.runs(limits.runs);
  } catch (error) {
    say(error.message, true);
    letPaint(true);
    return scrollToView();
  }
  walk?.run?.cancel();
  const wish = {
    image: image.name,
    degradation: asked,
    solver: $("solver").value,
    steps: Number($("steps").value),
    inspect: $("inspect").checked,
  };
  const mine = { wish, run: null, started: null, steps: [], pictures: new Map(), drawing: null, stopped: false };
  follow(mine);
  painting = false;
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
    letPaint(painting);
    say(`It walks. Noise: ${event.sigma.toFixed(1)} grey levels.`);
    showStart(mine);
  } else if (event.kind === "step") {
    $("progress").value = event.number / Math.max(1, mine.started.steps);
    $("counter").textContent = `Step ${event.number} of ${mine.started.steps}, ${event.seconds.toFixed(1)} s`;
    addStep(mine, event);
  } else if (event.kind === "done") {
    await Promise.all([mine.compared, mine.drawing]);
    if (walk !== mine) return;
    const { url, title } = await mine.run.result();
    if (walk !== mine) return;
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

$("kind").addEventListener("change", () => letPaint(true));
$("repaint").addEventListener("click", () => { letPaint(true); $("brush").focus({ preventScroll: true }); });
$("controls").addEventListener("submit", (event) => { event.preventDefault(); if (image) start(); });
$("stop").addEventListener("click", () => {
  if (!walk) return;
  walk.stopped = true;
  walk.run?.cancel();
});
$("stop").addEventListener("keydown", (event) => { if (event.repeat) event.preventDefault(); });  // held since the start

try {
  const about = await backend.about();
  limits = about.limits;
  $("where").textContent = backend.where;
  $("version").textContent = `rimkit ${about.version}`;
  offerControls(about);
  offerImages(about, changed);
  say("Choose an image, and restore it.");
} catch (error) {
  say(error.message, true);
}
