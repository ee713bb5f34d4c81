// A draft of the zones and lines, with undo. It knows nothing of the document.

const MOST_POINTS = 64;
const copy = (places) => JSON.parse(JSON.stringify(places));

/** A position in the picture, in thousandths. */
export const clamp = (value) => Math.round(Math.min(Math.max(value, 0), 1) * 1000) / 1000;

export class Draft {
  constructor({ zones, lines }) {
    this.places = copy({ zones, lines });
    this.selected = null; // {kind: "zone" | "line", index, point: number | null}
    this.undos = [];
    this.redos = [];
    this.dropped = []; // redos before the last mark
    this.label = null; // of the last mark
    this.original = JSON.stringify(this.places);
  }

  get changed() {
    return JSON.stringify(this.places) !== this.original;
  }

  /** The selected zone or line, or null. */
  get place() {
    return this.selected ? this.#list(this.selected.kind)[this.selected.index] ?? null : null;
  }

  #list(kind) {
    return kind === "zone" ? this.places.zones : this.places.lines;
  }

  /** Call before a change that undo takes back. Changes with the same `label` are taken back together. */
  mark(label = null) {
    if (label !== null && label === this.label) return;
    this.label = label;
    this.undos.push(JSON.stringify({ places: this.places, selected: this.selected }));
    this.undos.splice(0, Math.max(0, this.undos.length - 200));
    this.dropped = this.redos;
    this.redos = [];
  }

  /** Take the last mark back if nothing has changed since. */
  unmark() {
    this.label = null;
    if (!this.undos.length || JSON.stringify(JSON.parse(this.undos.at(-1)).places) !== JSON.stringify(this.places)) return;
    this.undos.pop();
    this.redos = this.dropped;
  }

  undo() {
    this.#swap(this.undos, this.redos);
  }

  redo() {
    this.#swap(this.redos, this.undos);
  }

  #swap(from, to) {
    if (!from.length) return;
    to.push(JSON.stringify({ places: this.places, selected: this.selected }));
    Object.assign(this, JSON.parse(from.pop()));
    this.label = null;
  }

  select(kind, index, point = null) {
    this.selected = index === null ? null : { kind, index, point };
    this.label = null;
  }

  /** The points of a zone or line. */
  points(kind, index) {
    const place = this.#list(kind)[index];
    return kind === "zone" ? place.points : [place.from, place.to];
  }

  movePoint(point, [x, y]) {
    const { kind, index } = this.selected;
    const place = this.#list(kind)[index];
    const to = [clamp(x), clamp(y)];
    if (kind === "zone") place.points[point] = to;
    else place[point ? "to" : "from"] = to;
  }

  /** Move the whole place from `start`, which are its points before, without leaving the picture. */
  movePlace(start, dx, dy) {
    const most = (axis, delta) => {
      const values = start.map((point) => point[axis]);
      return Math.min(Math.max(delta, -Math.min(...values)), 1 - Math.max(...values));
    };
    const [right, down] = [most(0, dx), most(1, dy)];
    start.forEach(([x, y], point) => this.movePoint(point, [x + right, y + down]));
  }

  /** Add a point to the selected zone after this one, halfway to the next unless a place is given. */
  insertPoint(after, at = null) {
    const { points } = this.place;
    if (points.length >= MOST_POINTS) return false;
    const [[ax, ay], [bx, by]] = [points[after], points[(after + 1) % points.length]];
    points.splice(after + 1, 0, (at ?? [(ax + bx) / 2, (ay + by) / 2]).map(clamp));
    this.selected.point = after + 1;
    return true;
  }

  /** Remove a point of the selected zone; at least three stay. */
  deletePoint(point) {
    if (this.selected?.kind !== "zone" || this.place.points.length <= 3) return false;
    this.place.points.splice(point, 1);
    this.selected.point = Math.min(point, this.place.points.length - 1);
    return true;
  }

  deletePlace() {
    this.#list(this.selected.kind).splice(this.selected.index, 1);
    this.select(null, null);
  }

  addZone(points) {
    this.places.zones.push({ name: this.#newName("zone"), points: points.map((point) => point.map(clamp)), kind: "area", loitering_s: 0 });
    this.select("zone", this.places.zones.length - 1);
  }

  addLine(from, to) {
    this.places.lines.push({ name: this.#newName("line"), from: from.map(clamp), to: to.map(clamp) });
    this.select("line", this.places.lines.length - 1);
  }

  #newName(kind) {
    const names = new Set(this.#list(kind).map((place) => place.name));
    let number = 1;
    while (names.has(`${kind}_${number}`)) number += 1;
    return `${kind}_${number}`;
  }

  /** What the key of an error means: {kind, index, field}, or null. `zones.bed.points`, or `zones[1].name` counted from 1. */
  find(key) {
    const found = /^(zones|lines)(?:\[(\d+)\]|\.([^.]+))(?:\.(.+))?$/.exec(key);
    if (!found) return null;
    const kind = found[1] === "zones" ? "zone" : "line";
    const index = found[2] ? Number(found[2]) - 1 : this.#list(kind).findIndex((place) => place.name === found[3]);
    return this.#list(kind)[index] ? { kind, index, field: found[4] ?? "name" } : null;
  }
}

export const distance = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);
export const half = ([ax, ay], [bx, by]) => [(ax + bx) / 2, (ay + by) / 2];

export function area(points) {
  return Math.abs(points.reduce((sum, [ax, ay], index) => {
    const [bx, by] = points[(index + 1) % points.length];
    return sum + ax * by - bx * ay;
  }, 0)) / 2;
}

/** The distance of a point to the line between two others, and the nearest place on it. All in px. */
export function toSegment([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const share = Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  const near = [ax + share * dx, ay + share * dy];
  return { distance: Math.hypot(x - near[0], y - near[1]), near };
}

export function inside([x, y], points) {
  let odd = false;
  points.forEach(([ax, ay], index) => {
    const [bx, by] = points[(index + 1) % points.length];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) odd = !odd;
  });
  return odd;
}
