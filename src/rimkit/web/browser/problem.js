// Measurements and their score: equations 14 and 15 for what acts on each pixel alone.

// Uniform in [0, 1), repeatable (mulberry32).
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function addNoise(image, sigma, seed) {
  const uniform = generator(seed);
  return Float32Array.from(image, (value) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return value + sigma * radius * Math.cos(2 * Math.PI * uniform());
  });
}

// What the solver gets: y, the mask (or null), sigma where white is 1, and the truth where it is known.
// levels: of a photograph, where the likelihood is to know that it was rounded; null: it is not.
// seenSigma: what the likelihood is told of pixels without noise beside painted ones.
export function measure(image, degradation, { channels, levels, seenSigma }) {
  if (degradation.kind === "photograph") {
    return { y: image, mask: null, sigma: degradation.sigma / 255, truth: null, levels };
  }
  if (degradation.kind === "painted") {
    const mask = unfolded(degradation.runs);
    const y = image.map((value, place) => value * mask[place % mask.length]);
    return { y, mask, sigma: Math.max(degradation.sigma / 255, seenSigma), truth: null };
  }
  const sigma = Math.max(degradation.sigma, 1 / Math.sqrt(12)) / 255;
  const noisy = addNoise(image, sigma, 0);
  if (degradation.kind === "noise") return { y: noisy, mask: null, sigma, truth: image };
  const uniform = generator(1);
  const plane = image.length / channels;
  const seen = Uint8Array.from({ length: plane }, () => (uniform() >= degradation.share ? 1 : 0));
  return { y: noisy.map((value, place) => value * seen[place % plane]), mask: seen, sigma, truth: image };
}

// Runs of seen and missing pixels in turn, as a mask: 1 where a pixel is seen.
function unfolded(runs) {
  const mask = new Uint8Array(runs.reduce((sum, run) => sum + run, 0));
  let place = 0;
  runs.forEach((run, at) => { mask.fill(at % 2 ? 0 : 1, place, place += run); });
  return mask;
}

// (1 + 2 x) erfcx(x) for x >= 0, where erfcx(x) = exp(x^2) erfc(x): Chebyshev coefficients in
// (x - 3.75) / (x + 3.75), by interpolation of scipy.special.erfcx; they are good to 2e-12.
const ERFCX = [
  1.177578934567, -0.004590054580647, -0.08424913336652, 0.05920993999819, -0.02665866843531, 0.009074997670705,
  -0.002413163540418, 0.0004907758365259, -6.916973302649e-05, 4.13902798617e-06, 7.740383050302e-07, -2.188640107081e-07,
  1.076499865455e-08, 4.521961457205e-09, -7.754762273484e-10, -6.321356773001e-11, 2.965089680323e-11,
];

export function erfcx(x) {
  if (x < 0) return 2 * Math.exp(x * x) - erfcx(-x);
  const place = (x - 3.75) / (x + 3.75);
  let [next, last] = [0, 0];
  for (let order = ERFCX.length - 1; order > 0; order--) {
    [next, last] = [2 * place * next - last + ERFCX[order], next];
  }
  return (place * next - last + ERFCX[0]) / (1 + 2 * x);
}

// Gradient in x of the log chance that a value was clipped and rounded to y: the score of
// rimkit.noises.QuantisedGaussianNoise, which says why.
function scoreOfRounded(y, x, deviation, levels) {
  const half = 0.5 / levels;
  let low = y < half ? -Infinity : (y - half - x) / deviation;
  let high = y > 1 - half ? Infinity : (y + half - x) / deviation;
  const mirrored = low + high > 0;
  if (mirrored) [low, high] = [-high, -low];
  high = Math.min(high, 25);  // far inside a wide bin the score is zero
  const open = low === -Infinity;
  const less = open ? 1 : -Math.expm1((high - low) * (high + low) / 2);
  const above = erfcx(-high / Math.SQRT2);
  const below = open ? 0 : erfcx(-low / Math.SQRT2);
  const size = Math.sqrt(2 / Math.PI) * less / (above - below + less * below) / deviation;
  return mirrored ? size : -size;
}

// A' (y - A x) / (sigma^2 + floor), or that of a likelihood that knows of levels.
export function score({ y, mask, sigma, levels }, x, floor) {
  const variance = sigma * sigma + floor;
  if (levels) return y.map((value, place) => scoreOfRounded(value, x[place], Math.sqrt(variance), levels));
  if (mask === null) return y.map((value, place) => (value - x[place]) / variance);
  return y.map((value, place) => (mask[place % mask.length] ? (value - x[place]) / variance : 0));
}

// Half the size: means of 2x2 values, and of what is left of them at the end of an odd side.
function halved({ values, channels, height, width }) {
  const h = Math.ceil(height / 2), w = Math.ceil(width / 2);
  const made = new Float32Array(channels * h * w);
  for (let place = 0; place < made.length; place++) {
    const column = 2 * (place % w), row = 2 * (Math.floor(place / w) % h);
    const top = Math.floor(place / (h * w)) * height * width;
    const down = Math.min(2, height - row), across = Math.min(2, width - column);
    for (let y = row; y < row + down; y++) {
      for (let x = column; x < column + across; x++) made[place] += values[top + y * width + x] / (down * across);
    }
  }
  return { values: made, channels, height: h, width: w };
}

// Two neighbours of each place of a longer side, and the share of the second.
function between(length, from) {
  return Array.from({ length }, (_, place) => {
    const at = Math.max(0, ((place + 0.5) * from) / length - 0.5), first = Math.floor(at);
    return [first, Math.min(first + 1, from - 1), at - first];
  });
}

// Means of seen pixels, and where none is, what lies between those of half the size.
function fillFrom(sums, share, coarse) {
  const { channels, height, width } = sums;
  const rows = coarse && between(height, coarse.height), columns = coarse && between(width, coarse.width);
  const values = sums.values.map((sum, place) => {
    const pixel = place % (height * width);
    if (share.values[pixel] > 0) return sum / share.values[pixel];
    if (!coarse) return 0;
    const [up, down, below] = rows[Math.floor(pixel / width)], [left, right, beside] = columns[pixel % width];
    const top = Math.floor(place / (height * width)) * coarse.height;
    const mean = (row) => {
      const [one, other] = [left, right].map((column) => coarse.values[(top + row) * coarse.width + column]);
      return (1 - beside) * one + beside * other;
    };
    return (1 - below) * mean(up) + below * mean(down);
  });
  return { values, channels, height, width };
}

// y where it is seen, and elsewhere means of what is seen near: rimkit.operators.filling.fill,
// which says why.
export function fill(y, mask, { channels, height, width }) {
  const seen = y.map((value, place) => value * mask[place % mask.length]);
  let sums = { values: seen, channels, height, width };
  let share = { values: Float32Array.from(mask), channels: 1, height, width };
  const finer = [];
  while (Math.max(sums.height, sums.width) > 1 && share.values.some((part) => part === 0)) {
    finer.push([sums, share]);
    [sums, share] = [halved(sums), halved(share)];
  }
  let x = fillFrom(sums, share, null);
  for (const [sums, share] of finer.reverse()) x = fillFrom(sums, share, x);
  return x.values;
}

// Where all of a 7x7 neighbourhood are equal: there is no noise, and the image stays.
export function quiet(image, { channels, height, width }) {
  const extreme = (choose) => {
    let from = image;
    for (const [count, stride, length] of [[width, 1, width], [height, width, height]]) {
      const to = new Float32Array(from.length);
      for (let place = 0; place < from.length; place++) {
        const at = Math.floor(place / stride) % length;
        let best = from[place];
        for (let shift = Math.max(-3, -at); shift <= Math.min(3, count - 1 - at); shift++) {
          best = choose(best, from[place + shift * stride]);
        }
        to[place] = best;
      }
      from = to;
    }
    return from;
  };
  const highest = extreme(Math.max), lowest = extreme(Math.min);
  return Uint8Array.from({ length: channels * height * width }, (_, place) => highest[place] === lowest[place]);
}
