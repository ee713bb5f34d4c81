// Draw what is being edited: the selected zone or line with its handles, or a new one.

import { half } from "./draft.js";
import { dot, tag } from "./ink.js";
import { KINDS, LINE, arrow, outline, stroke } from "./places-drawing.js";

export function drawEditor(context, { draft, drawing, drag }, width, height) {
  const px = ([x, y]) => [x * width, y * height];
  if (drawing) drawNew(context, drawing, drag, px, width, height);
  else if (draft.place) drawSelected(context, draft, px, width, height);
}

function drawSelected(context, draft, px, width, height) {
  const { kind, index, point: chosen } = draft.selected;
  const colour = kind === "zone" ? (KINDS[draft.place.kind] ?? KINDS.area) : LINE;
  const points = draft.points(kind, index).map(px);
  if (kind === "zone") {
    outline(context, points);
    context.globalAlpha = 0.2;
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = 1;
    stroke(context, colour, 3);
    points.forEach((point, number) => {
      const middle = half(point, points[(number + 1) % points.length]);
      dot(context, middle, 5, "#0b1016");
      dot(context, middle, 3.5, colour);
    });
  } else {
    arrow(context, draft.place, width, height, colour);
  }
  points.forEach((point, number) => handle(context, point, colour, number === chosen));
}

function drawNew(context, { kind, points, cursor }, drag, px, width, height) {
  const colour = kind === "zone" ? KINDS.area : LINE;
  const all = [...points, ...(cursor && !drag ? [cursor] : [])].map(px);
  if (all.length > 1) {
    context.beginPath();
    all.forEach((point, index) => (index ? context.lineTo(...point) : context.moveTo(...point)));
    context.setLineDash([6, 5]);
    stroke(context, colour);
    context.setLineDash([]);
  }
  const closes = kind === "zone" && points.length >= 3;
  points.forEach((point, index) => handle(context, px(point), colour, closes && index === 0));
  if (cursor) cross(context, px(cursor));
  if (!points.length) return;
  const [x, y] = px(points[0]);
  const text = kind === "line" ? "from" : points.length === 1 ? "1 corner" : `${points.length} corners`;
  tag(context, text, x, y - 12, width, height, "#0b1016d0", colour);
}

function cross(context, [x, y]) {
  context.beginPath();
  context.moveTo(x - 9, y);
  context.lineTo(x + 9, y);
  context.moveTo(x, y - 9);
  context.lineTo(x, y + 9);
  stroke(context, "#ffffff", 1.5);
}

function handle(context, point, colour, chosen) {
  dot(context, point, chosen ? 10 : 8, "#0b1016");
  dot(context, point, chosen ? 8 : 6, chosen ? "#ffffff" : colour);
}
