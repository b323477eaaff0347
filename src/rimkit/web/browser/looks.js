// Between the pixels of a canvas and planes of floats, and pictures of what a solver holds.

export function grey({ data }) {
  for (let place = 0; place < data.length; place += 4) {
    if (data[place] !== data[place + 1] || data[place] !== data[place + 2]) return false;
  }
  return true;
}

// (channels, H, W) with white 1.
export function planes({ data, width, height }, channels) {
  const size = width * height;
  const made = new Float32Array(channels * size);
  for (let channel = 0; channel < channels; channel++) {
    for (let place = 0; place < size; place++) made[channel * size + place] = Math.fround(data[4 * place + channel] / 255);
  }
  return made;
}

// The mean of the channels, in each of them.
export function averaged(values, { channels }) {
  const size = values.length / channels;
  return values.map((_, place) => {
    let sum = 0;
    for (let at = place % size; at < values.length; at += size) sum += values[at];
    return sum / channels;
  });
}

// A canvas rounds half to even and clips, as the files of rimkit do.
export function rgba(values, { channels, height, width }) {
  const size = width * height;
  const data = new Uint8ClampedArray(4 * size).fill(255);
  for (let place = 0; place < size; place++) {
    for (let colour = 0; colour < 3; colour++) {
      data[4 * place + colour] = Math.fround(values[(channels === 1 ? 0 : colour) * size + place] * 255);
    }
  }
  return new ImageData(data, width, height);
}

export function rms(one, other) {
  let sum = 0;
  for (let place = 0; place < one.length; place++) sum += (one[place] - other[place]) ** 2;
  return Math.sqrt(sum / one.length);
}

export function psnr(x, truth) {
  const error = rms(x.map((value) => Math.min(1, Math.max(0, value))), truth);
  return error > 0 ? -20 * Math.log10(error) : null;
}

// Blue below zero, white at zero, red above; full colour at the 99.5th percentile.
export function signed(values, { channels, height, width }) {
  const size = width * height;
  const plane = new Float32Array(size);
  for (let place = 0; place < values.length; place++) plane[place % size] += values[place] / channels;
  const sizes = plane.map(Math.abs).sort();
  const full = Math.max(1e-12, sizes[Math.floor(0.995 * (size - 1))]);
  const data = new Uint8ClampedArray(4 * size).fill(255);
  for (let place = 0; place < size; place++) {
    const share = Math.min(1, Math.abs(plane[place]) / full);
    const end = plane[place] > 0 ? [0.7, 0.09, 0.17] : [0.13, 0.4, 0.67];
    end.forEach((value, colour) => { data[4 * place + colour] = 255 * (1 + share * (value - 1)); });
  }
  return new ImageData(data, width, height);
}

// The channels of the first sample side by side, zero in mid grey.
export function sheet({ data, dims }) {
  const [, channels, height, width] = dims;
  const count = Math.min(64, channels), across = Math.ceil(Math.sqrt(count)), down = Math.ceil(count / across);
  const shrink = Math.max(1, Math.ceil((Math.max(height, width) * across) / 768));
  const h = Math.ceil(height / shrink), w = Math.ceil(width / shrink);
  const picture = new ImageData(across * (w + 1), down * (h + 1));
  picture.data.fill(255);
  for (let channel = 0; channel < count; channel++) {
    const small = new Float32Array(h * w), seen = new Uint16Array(h * w);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const place = Math.floor(row / shrink) * w + Math.floor(column / shrink);
        small[place] += data[(channel * height + row) * width + column];
        seen[place] += 1;
      }
    }
    for (let place = 0; place < small.length; place++) small[place] /= seen[place];
    const full = small.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
    const left = (channel % across) * (w + 1), top = Math.floor(channel / across) * (h + 1);
    for (let place = 0; place < small.length; place++) {
      const at = 4 * ((top + Math.floor(place / w)) * picture.width + left + (place % w));
      const value = 255 * (0.5 + (0.5 * small[place]) / full);
      picture.data[at] = picture.data[at + 1] = picture.data[at + 2] = value;
    }
  }
  return picture;
}
