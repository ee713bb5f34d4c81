// Draw zones and lines on the canvas.

import { tag } from "./ink.js";

export const KINDS = { area: "#82e182", bed: "#96beff", exclude: "#ff8080" };
export const LINE = "#ffd750";
const STALE = "#8b949e";
const ARROW = 26; // px

export function drawPlaces(context, { width, height, zones, lines, occupied, stale, faint }) {
  context.lineJoin = context.lineCap = "round";
  for (const zone of zones) {
    const colour = stale ? STALE : KINDS[zone.kind] ?? KINDS.area;
    outline(context, zone.points.map(([x, y]) => [x * width, y * height]));
    context.globalAlpha = occupied.has(zone.name) && !faint ? 0.3 : 0.1;
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = faint ? 0.7 : 1;
    stroke(context, colour);
    context.globalAlpha = 1;
  }
  for (const line of lines) {
    context.globalAlpha = faint ? 0.7 : 1;
    arrow(context, line, width, height, stale ? STALE : LINE);
    context.globalAlpha = 1;
  }
  for (const zone of zones) {
    const [x, y] = zone.points.reduce((best, point) => (point[0] + point[1] < best[0] + best[1] ? point : best));
    const count = occupied.get(zone.name);
    const text = count ? `${zone.name} · ${count}` : zone.name;
    tag(context, text, x * width, y * height - 4, width, height, "#0b1016d0", stale ? STALE : KINDS[zone.kind] ?? KINDS.area, 0);
  }
}

export function outline(context, points) {
  context.beginPath();
  points.forEach((point, index) => (index ? context.lineTo(...point) : context.moveTo(...point)));
  context.closePath();
}

export function stroke(context, colour, width = 2) {
  for (const [extra, style] of [[2, "#0b1016"], [0, colour]]) {
    context.lineWidth = width + extra;
    context.strokeStyle = style;
    context.stroke();
  }
}

/** A line, with an arrow from its middle to its side "in". */
export function arrow(context, line, width, height, colour) {
  const [[ax, ay], [bx, by]] = [line.from, line.to].map(([x, y]) => [x * width, y * height]);
  const length = Math.max(Math.hypot(bx - ax, by - ay), 1);
  const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
  // In a picture, whose y runs down, the right of (x, y) is (-y, x).
  const [nx, ny] = [-(by - ay) / length, (bx - ax) / length];
  const [tx, ty] = [mx + nx * ARROW, my + ny * ARROW];
  context.beginPath();
  context.moveTo(ax, ay);
  context.lineTo(bx, by);
  context.moveTo(mx, my);
  context.lineTo(tx, ty);
  context.moveTo(tx - nx * 8 - ny * 6, ty - ny * 8 + nx * 6);
  context.lineTo(tx, ty);
  context.lineTo(tx - nx * 8 + ny * 6, ty - ny * 8 - nx * 6);
  stroke(context, colour, 2.5);
  tag(context, "in", tx + nx * 14, ty + ny * 14 + 9, width, height, "#0b1016d0", colour);
  tag(context, line.name, bx, by - 4, width, height, "#0b1016d0", colour);
}
