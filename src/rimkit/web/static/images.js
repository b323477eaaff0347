// The image that is chosen: a sample, a file, or the middle of one that is too large.

import * as backend from "./backend.js";
import { $, say } from "./dom.js";

export let image = null;

let limits;
let changed = () => {};  // is called when another image is chosen, and when one is opened and there is none
let choices = 0;         // how many images were chosen: an answer that comes late is not taken

export function offerImages(about, whenChanged) {
  limits = about.limits;
  changed = whenChanged;
  listSamples(about.samples);
}

function listSamples(samples) {
  const labels = samples.map((sample) => {
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
  changed();
}

async function openFile(file) {
  const mine = ++choices;
  image = null;
  for (const radio of document.querySelectorAll("#samples input")) radio.checked = false;
  say(`Opening ${file.name} …`, false, "chosen");
  $("run").disabled = true;
  $("middle").hidden = true;
  changed();
  try {
    if (file.size > limits.upload_bytes) {
      throw new Error(`The file has ${(file.size / 1e6).toFixed(0)} MB, ${limits.upload_bytes / 1e6} MB are taken here.`);
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
  try { picture = await createImageBitmap(file); } catch { return; }  // in sRGB: its profile goes
  const share = Math.sqrt(limits.pixels / (picture.width * picture.height));
  if (share >= 1 || mine !== choices) return;
  const [width, height] = [picture.width, picture.height].map((side) => Math.floor(side * share));
  const button = $("middle");
  button.textContent = `Take its middle, ${width} × ${height}, with 8 bits, opaque, in sRGB`;
  button.hidden = false;
  button.onclick = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const left = (picture.width - width) >> 1, top = (picture.height - height) >> 1;
    canvas.getContext("2d", { alpha: false }).drawImage(picture, -left, -top);
    canvas.toBlob((blob) => openFile(new File([blob], file.name)), "image/png");
  };
}

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = "";  // the same file can be chosen again
  if (file) openFile(file);
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
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) openFile(event.clipboardData.files[0]);
});
