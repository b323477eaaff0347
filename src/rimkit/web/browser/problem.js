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
export function measure(image, degradation, { channels }) {
  if (degradation.kind === "photograph") {
    return { y: image, mask: null, sigma: degradation.sigma / 255, truth: null };
  }
  const sigma = Math.max(degradation.sigma, 1 / Math.sqrt(12)) / 255;
  const noisy = addNoise(image, sigma, 0);
  if (degradation.kind === "noise") return { y: noisy, mask: null, sigma, truth: image };
  const uniform = generator(1);
  const plane = image.length / channels;
  const seen = Uint8Array.from({ length: plane }, () => (uniform() >= degradation.share ? 1 : 0));
  return { y: noisy.map((value, place) => value * seen[place % plane]), mask: seen, sigma, truth: image };
}

// A' (y - A x) / (sigma^2 + floor)
export function score({ y, mask, sigma }, x, floor) {
  const weight = 1 / (sigma * sigma + floor);
  if (mask === null) return y.map((value, place) => weight * (value - x[place]));
  return y.map((value, place) => (mask[place % mask.length] ? weight * (value - x[place]) : 0));
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
