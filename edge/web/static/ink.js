// Marks on the canvas.

export function dot(context, [x, y], radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/** A text on a rounded box above (x, y), moved into the canvas. `align` is the share of the box to the left of x. */
export function tag(context, text, x, y, width, height, back, ink, align = 0.5) {
  const shown = text.length > 28 ? `${text.slice(0, 27)}…` : text;
  context.font = "600 12px system-ui, sans-serif";
  const [w, h] = [context.measureText(shown).width + 12, 19];
  const left = Math.min(Math.max(x - w * align, 2), Math.max(width - w - 2, 2));
  const top = Math.min(Math.max(y - h, 2), height - h - 2);
  context.fillStyle = back;
  context.beginPath();
  context.roundRect(left, top, w, h, 5);
  context.fill();
  context.fillStyle = ink;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText(shown, left + 6, top + h / 2 + 0.5);
}
