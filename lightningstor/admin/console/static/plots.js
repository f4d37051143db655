// The overview's plots: samples of the last minutes, asked for every two seconds and drawn as plain SVG.
"use strict";

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 110;
const EVERY_MS = 2000;

const board = document.querySelector("[data-samples]");

/** A number with its unit, short. */
function short(value, unit) {
  if (unit === "B") {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let step = 0;
    while (value >= 1024 && step < units.length - 1) {
      value /= 1024;
      step += 1;
    }
    return `${value.toFixed(step ? 1 : 0)} ${units[step]}`;
  }
  const digits = value >= 100 ? 0 : value >= 1 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`.replace(" /", "/");
}

function shape(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, value);
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  return made;
}

/** Draws the series of one plot over the same time axis; the largest value and the newest are written beside it. */
function draw(svg, samples) {
  const names = svg.dataset.plot.split(" ");
  const top = Math.max(...names.flatMap((name) => samples.map((sample) => sample[name])), 0);
  const scale = top > 0 ? (HEIGHT - 24) / top : 0;
  const step = WIDTH / Math.max(samples.length - 1, 1);
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const drawn = [shape("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 4, y2: HEIGHT - 4 })];
  names.forEach((name, index) => {
    const points = samples.map((sample, at) => `${(at * step).toFixed(1)},${(HEIGHT - 4 - sample[name] * scale).toFixed(1)}`);
    drawn.push(shape("polyline", { class: index ? "line second" : "line", points: points.join(" ") }));
  });
  const newest = samples.at(-1);
  if (newest) {
    const now = names.map((name) => short(newest[name], svg.dataset.unit)).join(" · ");
    drawn.push(shape("text", { x: WIDTH, y: 12, "text-anchor": "end" }, `now ${now}`));
    drawn.push(shape("text", { x: 0, y: 12 }, `max ${short(top, svg.dataset.unit)}`));
    svg.setAttribute("aria-label", `${svg.previousElementSibling?.textContent ?? ""}: now ${now}`);
  }
  svg.replaceChildren(...drawn);
}

async function refresh() {
  try {
    const answer = await fetch(board.dataset.samples, { headers: { accept: "application/json" } });
    if (answer.ok) {
      const { samples } = await answer.json();
      for (const svg of board.querySelectorAll("svg")) {
        draw(svg, samples);
      }
    }
  } catch {
    // The daemon is away for a moment; the next turn asks again.
  }
  setTimeout(refresh, EVERY_MS);
}

if (board) {
  refresh();
}
