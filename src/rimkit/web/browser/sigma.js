// Blind estimate of the noise level, as rimkit.estimate_sigma does it: of 8x8 patches, those with the weakest
// coarse texture are chosen by their cosine transform, and its finest frequencies there are noise.

import { erfcx } from "./problem.js";

const SIDE = 8, SIZE = SIDE * SIDE, MOST = 50000;
const FINE = 11, COARSE = 3, SMOOTHEST = 0.05, FEWEST = 256, AWAY = 2, PILE = 1e-4;

export function estimateSigma(image, channels, height, width) {
  const patches = describe(image, channels, height, width);
  return patches.fine.length ? level(patches, clippedAt(image)) : 0;
}

// Of every patch without a row or column of one value: its mean, its texture, and its fine frequencies. None of
// an image that is drawn, as text is: where half of the patches that are not of one value have such rows.
function describe(image, channels, height, width) {
  const rows = height - SIDE + 1, columns = width - SIDE + 1;
  const count = channels * rows * columns;
  const step = Math.ceil(count / MOST);
  const means = [], coarse = [], fine = [];
  let flat = 0;
  const patch = new Float64Array(SIZE), half = new Float64Array(SIZE);
  for (let number = 0; number < count; number += step) {
    const channel = Math.floor(number / (rows * columns));
    const row = Math.floor(number / columns) % rows, column = number % columns;
    let sum = 0;
    for (let i = 0; i < SIZE; i++) {
      patch[i] = image[(channel * height + row + (i >> 3)) * width + column + (i & 7)];
      sum += patch[i];
    }
    if (patch.every((value) => value === patch[0])) continue;
    if (partlyFlat(patch)) {
      flat++;
      continue;
    }
    const found = [0, 0], members = [0, 0];
    transform(patch, half);
    for (let i = 0; i < SIDE; i++) {
      for (let j = 0; j < SIDE; j++) {
        if (i + j < COARSE) continue;
        const place = i + j < FINE ? 0 : 1;
        found[place] += patch[i * SIDE + j] ** 2;
        members[place]++;
      }
    }
    means.push(sum / SIZE);
    coarse.push(found[0] / members[0]);
    fine.push(found[1] / members[1]);
  }
  return flat >= fine.length ? { fine: [] } : { means, coarse, fine };
}

function level({ means, coarse, fine }, { low, high }) {
  const count = Math.min(fine.length, Math.max(roundToEven(SMOOTHEST * fine.length), FEWEST));
  const room = means.map((mean) => Math.min(mean - low, high - mean));
  const roomiest = [...room.keys()].sort((a, b) => room[b] - room[a]);
  const smoothest = [...room.keys()].sort((a, b) => coarse[a] - coarse[b]);
  const middle = roomiest.slice(0, Math.max(count, Math.floor(room.length / 10)));
  let sigma = Math.sqrt(middle.reduce((sum, i) => sum + fine[i], 0) / middle.length);
  for (let round = 0; round < 8 && sigma > 0; round++) {
    const away = room.map((value) => value >= AWAY * sigma);
    if (away.filter(Boolean).length < count) for (const i of roomiest.slice(0, count)) away[i] = true;
    let squares = 0, left = 0;
    for (const i of smoothest.filter((i) => away[i]).slice(0, count)) {
      squares += fine[i];
      left += varianceLeft((means[i] - low) / sigma, (high - means[i]) / sigma);
    }
    sigma = Math.sqrt(squares / left);
  }
  return sigma;
}

// Cosine transform (DCT-II, orthonormal) of an 8x8 patch, in place.
const COSINES = Float64Array.from({ length: SIZE }, (_, n) => {
  const frequency = n >> 3, place = (n & 7) + 0.5;
  return Math.cos((Math.PI / SIDE) * frequency * place) * Math.sqrt((frequency ? 2 : 1) / SIDE);
});

function transform(patch, half) {
  for (let i = 0; i < SIDE; i++) {
    for (let j = 0; j < SIDE; j++) {
      let sum = 0;
      for (let k = 0; k < SIDE; k++) sum += COSINES[i * SIDE + k] * patch[k * SIDE + j];
      half[i * SIDE + j] = sum;
    }
  }
  for (let i = 0; i < SIDE; i++) {
    for (let j = 0; j < SIDE; j++) {
      let sum = 0;
      for (let k = 0; k < SIDE; k++) sum += half[i * SIDE + k] * COSINES[j * SIDE + k];
      patch[i * SIDE + j] = sum;
    }
  }
}

function partlyFlat(patch) {
  for (let i = 0; i < SIDE; i++) {
    let row = true, column = true;
    for (let j = 1; j < SIDE; j++) {
      row &&= patch[i * SIDE + j] === patch[i * SIDE];
      column &&= patch[j * SIDE + i] === patch[i];
    }
    if (row || column) return true;
  }
  return false;
}

// Values at which the image is clipped: where they pile up at an end, else infinite.
function clippedAt(image) {
  const [low, high] = [-1, 1].map((sign) => sign * pile(image, sign));
  return { low, high };
}

function pile(image, sign) {
  const [end, count] = mostBelow(image, sign, Infinity);
  const [beside, others] = mostBelow(image, sign, end);
  return beside > -Infinity && count > Math.max(2 * others, PILE * image.length) ? end : Infinity;
}

// The largest of sign times the values below a bound, and how many have it.
function mostBelow(image, sign, bound) {
  let end = -Infinity, count = 0;
  for (let i = 0; i < image.length; i++) {
    const value = sign * image[i];
    if (value > end && value < bound) [end, count] = [value, 0];
    if (value === end) count++;
  }
  return [end, count];
}

// Variance of a standard normal variable that is clipped to [-below, above].
function varianceLeft(below, above) {
  below = Math.min(below, 40);
  above = Math.min(above, 40);
  const outLow = out(below), outHigh = out(above), atLow = density(below), atHigh = density(above);
  const mean = atLow - atHigh - below * outLow + above * outHigh;
  const square = below ** 2 * outLow + above ** 2 * outHigh + (1 - outLow - outHigh) - below * atLow - above * atHigh;
  return Math.max(square - mean ** 2, 1e-3);
}

const density = (value) => Math.exp(-(value ** 2) / 2) / Math.sqrt(2 * Math.PI);

// The share of a normal variable above a value.
const out = (value) => (Math.exp(-(value ** 2) / 2) * erfcx(value / Math.SQRT2)) / 2;

// As Python rounds.
function roundToEven(value) {
  const rounded = Math.round(value);
  return value % 1 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
