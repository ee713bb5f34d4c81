// The view: the picture, zones and lines, and skeletons, on one canvas.

import { drawEditor } from "./editor-drawing.js";
import { dot, tag } from "./ink.js";
import { drawPlaces } from "./places-drawing.js";

export const COLOURS = { left: "#40c4ff", right: "#ff9140", middle: "#eef2f6", stale: "#8b949e", outline: "#0b1016" };
const BONES = [
  [0, 1], [0, 2], [1, 3], [2, 4],
  [5, 6], [5, 7], [7, 9], [6, 8], [8, 10],
  [5, 11], [6, 12], [11, 12],
  [11, 13], [13, 15], [12, 14], [14, 16],
];
const FACE = 5; // keypoints 0 to 4 are close together

export class View {
  /** `content()` gives what to draw: {poses, sequence, stale, picture, zones, lines, occupied, labels, editor}. */
  constructor(canvas, content) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.content = content;
    this.frame = { width: 640, height: 480 };
    this.width = this.height = 0; // CSS pixels
    this.planned = 0;
    this.drawn = 0; // drawings so far
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(resolution: 1dppx)").addEventListener("change", () => this.#resize());
  }

  /** Draw before the browser paints the next time. */
  plan() {
    this.planned ||= requestAnimationFrame(() => {
      this.planned = 0;
      this.draw();
    });
  }

  setFrame(frame) {
    if (!(frame?.width > 0 && frame?.height > 0)) return;
    if (frame.width === this.frame.width && frame.height === this.frame.height) return;
    this.frame = { width: frame.width, height: frame.height };
    this.canvas.parentElement.style.setProperty("--ratio", frame.width / frame.height);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const scale = Math.min(window.devicePixelRatio || 1, 3);
    Object.assign(this, { width, height });
    const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)];
    if (columns !== this.canvas.width || rows !== this.canvas.height) {
      this.canvas.width = columns;
      this.canvas.height = rows;
      this.draw();
    }
  }

  draw() {
    if (!this.width || !this.height) return;
    const { context, canvas, width, height } = this;
    const { poses, sequence, stale, picture, zones, lines, occupied, labels, editor } = this.content();
    context.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
    context.clearRect(0, 0, width, height);
    if (picture) {
      context.globalAlpha = stale ? 0.4 : 1;
      context.drawImage(picture, 0, 0, width, height);
      context.globalAlpha = 1;
    }
    drawPlaces(context, { width, height, zones, lines, occupied, stale, faint: Boolean(editor) });
    canvas.dataset.sequence = sequence ?? "";
    for (const pose of poses) this.#skeleton(pose, stale);
    for (const pose of poses) this.#label(pose, labels, stale);
    if (editor) drawEditor(context, editor, width, height);
    this.drawn += 1;
  }

  #skeleton(pose, stale) {
    const { context } = this;
    const points = this.#points(pose);
    const long = this.#size(pose);
    const bone = Math.min(Math.max(long / 70, 2), 6);
    context.lineCap = context.lineJoin = "round";
    for (const [extra, outline] of [[3, true], [0, false]]) {
      context.lineWidth = bone + extra;
      for (const [a, b] of BONES) {
        if (!points[a] || !points[b]) continue;
        context.strokeStyle = outline ? COLOURS.outline : stale ? COLOURS.stale : side(a) === side(b) ? COLOURS[side(a)] : COLOURS.middle;
        context.beginPath();
        context.moveTo(...points[a]);
        context.lineTo(...points[b]);
        context.stroke();
      }
    }
    points.forEach((point, index) => {
      if (!point) return;
      const radius = bone * (index < FACE ? 0.7 : 1.15);
      dot(context, point, radius + 1.2, COLOURS.outline);
      dot(context, point, radius, stale ? COLOURS.stale : COLOURS[side(index)]);
    });
  }

  #label(pose, labels, stale) {
    if (pose.id === null || pose.id === undefined || !pose.keypoints.length) return;
    const { text = String(pose.id), alarm = false } = labels.get(pose.id) ?? {};
    const points = this.#points(pose).filter(Boolean);
    const top = points.reduce((best, point) => (point[1] < best[1] ? point : best));
    const colours = stale ? ["#3a424c", "#d5dbe2"] : alarm ? ["#d3222b", "#ffffff"] : ["#eef2f6", "#0b1016"];
    tag(this.context, text, top[0], top[1] - Math.max(10, this.#size(pose) / 9), this.width, this.height, ...colours);
  }

  #size(pose) {
    const [, , width, height] = pose.box;
    return (Math.max(width, height) * this.width) / this.frame.width;
  }

  /** The keypoints by index, in CSS pixels of the canvas. */
  #points(pose) {
    const points = new Array(17);
    for (const { index, x, y } of pose.keypoints) {
      points[index] = [((x + 0.5) / this.frame.width) * this.width, ((y + 0.5) / this.frame.height) * this.height];
    }
    return points;
  }
}

/** Odd keypoints are on the person's left; the nose is on neither side. */
const side = (index) => (index === 0 ? "middle" : index % 2 ? "left" : "right");
