// What is set: what happened to the image, who restores it, and in how many steps.

import { kinds } from "./backend.js";
import { $ } from "./dom.js";
import { image } from "./images.js";
import { KINDS } from "./kinds.js";

let about;
let typed = null;  // steps, by hand
let picked = false;  // whether a solver was chosen by hand for this kind of problem

export function offerControls(offered) {
  about = offered;
  for (const solver of about.solvers) $("solver").append(new Option(solver.name, solver.name));
  for (const kind of kinds) $("kind").append(new Option(KINDS[kind].label, kind));
  listParameters();
}

// Offers what goes with the image that is chosen.
export function suitImage() {
  $("automatic")?.dispatchEvent(new Event("change"));
  offerSolvers();
  boundSteps();
}

function listParameters() {
  const { hint, parameters } = KINDS[$("kind").value];
  const rows = parameters.map((each) => {
    const row = document.createElement("div");
    const label = document.createElement("label");
    const range = document.createElement("input");
    const value = document.createElement("output");
    value.ariaLive = "off";  // the range itself tells its value
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

export function degradation() {
  const wish = { kind: $("kind").value };
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
  // Noise that channels share is for a model that takes them one by one.
  const most = kind === "photograph" && image?.shares_noise ? -1 : 1;
  const able = about.solvers.filter(takes).sort((one, other) => most * (other.channels - one.channels));
  const suited = able.find((each) => each.trained.includes(kind))
    ?? able.find((each) => !each.learned) ?? able[0] ?? about.solvers[0];
  if (picked && takes(chosenSolver())) return;
  picked = false;
  $("solver").value = suited.name;
  tellSolver();
}

function tellSolver() {
  const solver = chosenSolver();
  const unseen = solver.learned && !solver.trained.includes($("kind").value);
  $("about-solver").textContent = solver.summary
    + (unseen ? ". It was never trained for this: see what its prior is worth." : "");
  $("about-solver").classList.toggle("note", unseen);
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
  $("steps").value = Math.min(most, typed ?? chosenSolver().steps);
}

function chosenSolver() {
  return about.solvers.find((each) => each.name === $("solver").value);
}

$("kind").addEventListener("change", () => { picked = false; listParameters(); });
$("solver").addEventListener("change", () => { picked = true; typed = null; tellSolver(); });
$("steps").addEventListener("change", () => { typed = Number($("steps").value) || null; });
$("inspect").addEventListener("change", boundSteps);
