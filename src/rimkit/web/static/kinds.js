// What may have happened to an image, and what of it one may set.

const sigma = (value, max = 100) =>
  ({ name: "sigma", label: "Noise (grey levels of 255)", min: 0, max, step: 1, value });

export const KINDS = {
  noise: { label: "Noise is added", parameters: [sigma(25)] },
  photograph: {
    label: "It is noisy as it is",
    parameters: [{ ...sigma(25), label: "Its noise (grey levels of 255)", automatic: true }],
  },
  missing: {
    label: "Pixels are missing",
    parameters: [
      { name: "share", label: "Share that is missing", min: 0.05, max: 0.95, step: 0.05, value: 0.5 },
      sigma(5),
    ],
  },
  scratches: {
    label: "It is scratched",
    parameters: [{ name: "count", label: "Scratches", min: 10, max: 400, step: 10, value: 100 }, sigma(2)],
  },
  painted: {
    label: "Parts of it are damaged",
    hint: "Paint over them in the picture.",
    parameters: [{ ...sigma(0, 25), label: "Noise of the rest (grey levels of 255; at 0 it stays as it is)" }],
  },
  blur: {
    label: "It is blurred",
    parameters: [
      { name: "width", label: "Width of the blur (pixels)", min: 0.5, max: 5, step: 0.1, value: 1.5 },
      sigma(2),
    ],
  },
  smaller: {
    label: "It is made smaller",
    parameters: [
      { name: "scale", label: "So many times smaller", min: 1, max: 4, step: 0.1, value: 2 },
      sigma(0, 25),
    ],
  },
  projections: {
    label: "Random projections",
    parameters: [
      { name: "share", label: "Numbers for each pixel", min: 0.05, max: 1, step: 0.05, value: 0.5 },
      sigma(5),
    ],
  },
};
