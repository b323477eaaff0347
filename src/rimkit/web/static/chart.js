// A curve over steps, as SVG.

const HEIGHT = 170, LEFT = 52, RIGHT = 12, TOP = 28, BOTTOM = 30;

function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// points: [step, value]; unit: of the values; now: the step that is shown; last: the last step.
export function draw(svg, points, { unit, now, last, logarithmic }) {
  svg.replaceChildren();
  const width = Math.max(260, svg.clientWidth);  // so that a unit is a pixel, and text keeps its size
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const height = (value) => (logarithmic ? Math.log10(Math.max(value, 1e-6)) : value);
  const heights = points.map(([, value]) => height(value));
  let low = Math.min(...heights), high = Math.max(...heights);
  if (!points.length) { low = 0; high = 1; }
  if (high - low < 0.1) { high += 0.05; low -= 0.05; }
  const x = (step) => LEFT + (width - LEFT - RIGHT) * (last ? step / last : 0);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (height(value) - low) / (high - low));
  const floor = HEIGHT - BOTTOM;
  svg.append(
    element("line", { class: "axis", x1: LEFT, y1: floor, x2: width - RIGHT, y2: floor }),
    element("line", { class: "axis", x1: LEFT, y1: TOP, x2: LEFT, y2: floor }),
    element("text", { x: LEFT, y: HEIGHT - 8, "text-anchor": "middle" }, "0"),
    element("text", { x: width - RIGHT, y: HEIGHT - 8, "text-anchor": "end" }, `${last}`),
    element("text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, "step"),
  );
  for (const level of [low, high]) {
    const value = logarithmic ? 10 ** level : level;
    const text = value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2);
    svg.append(element("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, text));
  }
  svg.append(element("text", { x: 2, y: 14 }, unit));
  svg.append(element("line", { class: "now", x1: x(now), y1: TOP, x2: x(now), y2: floor }));
  const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  svg.append(element("polyline", { class: "curve", points: path }));
  if (points.length <= 40) {
    for (const [step, value] of points) {
      svg.append(element("circle", { class: "dot", cx: x(step), cy: y(value), r: 3 }));
    }
  }
}
