// Draw and change zones and lines on the canvas: by mouse, finger and keyboard.

import { Draft, area, clamp, distance, half, inside, toSegment } from "./draft.js";

const REACH = { mouse: 11, pen: 16, touch: 24 }; // px
const CLICK_PX = 5;
const STEP = 0.01; // of an arrow key, as a share of the picture
const HINTS = {
  zone: "Press on each corner. The first one again, or Enter, closes the zone.",
  line: "Drag from where the line begins to where it ends, or press on both ends. “In” is to the right of it.",
  choose: "Press a zone or line to change it, or draw a new one.",
  zoneSelected: "Drag a corner to move it, a small dot to add one, the inside to move all.",
  lineSelected: "Drag an end to move it, or the line to move all.",
};

export class Editor {
  /** `onChange()` is called after each change and selection. */
  constructor(canvas, places, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.draft = new Draft(places);
    this.drawing = null; // {kind, points, cursor} while a new one is drawn
    this.drag = null;
    this.pointer = null; // the mouse or finger that drags; others are ignored meanwhile
    this.abort = new AbortController();
    const listen = (name, action) => canvas.addEventListener(name, action, { signal: this.abort.signal });
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#isOther(event) || this.#move(event));
    listen("pointerup", (event) => this.#isOther(event) || this.#up());
    listen("pointercancel", (event) => this.#isOther(event) || this.#cancelDrag());
    listen("dblclick", (event) => this.#double(event));
    listen("keydown", (event) => this.#key(event));
    canvas.tabIndex = 0;
    canvas.classList.add("editing");
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-describedby", "hint");
  }

  close() {
    this.abort.abort();
    this.canvas.tabIndex = -1;
    this.canvas.classList.remove("editing");
    this.canvas.removeAttribute("role");
    this.canvas.removeAttribute("aria-describedby");
  }

  get hint() {
    return HINTS[this.drawing?.kind ?? (this.draft.selected ? `${this.draft.selected.kind}Selected` : "choose")];
  }

  begin(kind) {
    this.draft.select(null, null);
    this.drawing = { kind, points: [], cursor: null };
    this.canvas.focus({ preventScroll: true });
    this.onChange();
  }

  act(action) {
    this.draft.mark();
    action(this.draft);
    this.draft.unmark();
    this.onChange();
  }

  undo() {
    if (this.drawing) this.#unpoint();
    else this.draft.undo();
    this.onChange();
  }

  redo() {
    this.draft.redo();
    this.onChange();
  }

  /** End the zone or line that is being drawn. False if it has too few points. */
  finish() {
    const { kind, points } = this.drawing;
    const enough = points.length >= (kind === "zone" ? 3 : 2);
    if (points.length && !enough) return false;
    this.drawing = null;
    if (!points.length) return true;
    this.act((draft) => (kind === "zone" ? draft.addZone(points) : draft.addLine(points[0], points[1])));
    return true;
  }

  #unpoint() {
    if (this.drawing.points.length) this.drawing.points.pop();
    else this.drawing = null;
  }

  #isOther(event) {
    return Boolean(this.drag) && event.pointerId !== this.pointer;
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #px([x, y]) {
    return [x * this.canvas.clientWidth, y * this.canvas.clientHeight];
  }

  #share([x, y]) {
    return [clamp(x / this.canvas.clientWidth), clamp(y / this.canvas.clientHeight)];
  }

  #down(event) {
    if (event.button > 0 || this.drag) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    const at = this.#at(event);
    const reach = REACH[event.pointerType] ?? REACH.mouse;
    if (this.drawing) {
      const first = this.drawing.points[0];
      if (this.drawing.kind === "zone" && this.drawing.points.length >= 3 && distance(at, this.#px(first)) <= reach) return this.finish();
      this.drawing.points.push(this.#share(at));
      this.drag = { kind: "new", from: at, reach };
    } else {
      this.#grab(at, reach);
    }
    this.onChange();
  }

  /** Begin to drag a corner, a new corner, or a whole place; or select what is there. */
  #grab(at, reach) {
    const { draft } = this;
    if (draft.selected) {
      const { kind, index } = draft.selected;
      const points = draft.points(kind, index).map((point) => this.#px(point));
      const near = points.map((point, number) => [distance(at, point), number]).sort((a, b) => a[0] - b[0])[0];
      if (near[0] <= reach) {
        draft.mark();
        draft.selected.point = near[1];
        const [x, y] = points[near[1]];
        this.drag = { kind: "point", offset: [x - at[0], y - at[1]] };
        return;
      }
      const middle = kind === "zone" ? points.findIndex((point, number) => distance(at, half(point, points[(number + 1) % points.length])) <= reach) : -1;
      if (middle >= 0) {
        draft.mark();
        if (draft.insertPoint(middle)) this.drag = { kind: "point", offset: [0, 0] };
        return;
      }
    }
    const found = this.#find(at, reach);
    if (!found) return draft.select(null, null);
    draft.select(found.kind, found.index);
    draft.mark();
    this.drag = { kind: "place", from: at, start: JSON.parse(JSON.stringify(draft.points(found.kind, found.index))) };
  }

  /** The line or zone at a position: the selected one, then lines, then the smallest zone. */
  #find(at, reach) {
    const { zones, lines } = this.draft.places;
    const found = [];
    lines.forEach((line, index) => {
      if (toSegment(at, this.#px(line.from), this.#px(line.to)).distance <= reach) found.push({ kind: "line", index, size: 0 });
    });
    zones.forEach((zone, index) => {
      const points = zone.points.map((point) => this.#px(point));
      const edge = Math.min(...points.map((point, number) => toSegment(at, point, points[(number + 1) % points.length]).distance));
      if (inside(at, points) || edge <= reach) found.push({ kind: "zone", index, size: area(points) });
    });
    const { selected } = this.draft;
    return found.find((one) => one.kind === selected?.kind && one.index === selected.index) ?? found.sort((a, b) => a.size - b.size)[0];
  }

  #move(event) {
    const at = this.#at(event);
    if (this.drawing && !this.drag) {
      this.drawing.cursor = event.pointerType === "mouse" ? this.#share(at) : null;
      return this.onChange(true);
    }
    if (!this.drag) return;
    if (this.drag.kind === "new") this.#dragNew(at);
    else if (this.drag.kind === "point") this.draft.movePoint(this.draft.selected.point, this.#share([at[0] + this.drag.offset[0], at[1] + this.drag.offset[1]]));
    else if (this.drag.moved || distance(at, this.drag.from) > CLICK_PX) {
      this.drag.moved = true;
      const [dx, dy] = [at[0] - this.drag.from[0], at[1] - this.drag.from[1]];
      this.draft.movePlace(this.drag.start, dx / this.canvas.clientWidth, dy / this.canvas.clientHeight);
    }
    this.onChange(true);
  }

  /** Move the new corner, or pull a line out of its first end. */
  #dragNew(at) {
    const { kind, points } = this.drawing;
    if (kind === "line" && points.length === 1 && distance(at, this.drag.from) > this.drag.reach) points.push(this.#share(at));
    else points[points.length - 1] = this.#share(at);
  }

  #up() {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.kind === "new" && this.drawing.kind === "line" && this.drawing.points.length === 2) return this.finish();
    if (drag.kind !== "new") this.draft.unmark();
    this.onChange();
  }

  #cancelDrag() {
    if (this.drag?.kind === "new") this.drawing.points.pop();
    else if (this.drag) this.draft.unmark();
    this.drag = null;
    this.onChange();
  }

  #double(event) {
    event.preventDefault();
    if (this.drawing?.kind === "zone" && this.drawing.points.length > 3) {
      this.drawing.points.pop(); // the second press of the two
      this.finish();
    }
  }

  #key(event) {
    const step = event.shiftKey ? STEP * 5 : event.altKey ? STEP / 10 : STEP;
    const arrows = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const by = arrows[event.key];
    const handled = this.drawing ? this.#drawKey(event, by) : this.#changeKey(event, by);
    if (!handled) return;
    event.preventDefault();
    this.onChange();
  }

  #drawKey(event, by) {
    const { drawing } = this;
    const cursor = (drawing.cursor ??= [0.5, 0.5]);
    if (by) drawing.cursor = [clamp(cursor[0] + by[0]), clamp(cursor[1] + by[1])];
    else if (event.key === " ") {
      drawing.points.push([...cursor]);
      if (drawing.kind === "line" && drawing.points.length === 2) this.finish();
    } else if (event.key === "Enter") this.finish();
    else if (event.key === "Backspace") this.#unpoint();
    else if (event.key === "Escape") this.drawing = null;
    else return false;
    return true;
  }

  #changeKey(event, by) {
    const { draft } = this;
    if (!draft.selected) return false;
    const { kind, index, point } = draft.selected;
    const points = draft.points(kind, index);
    if (by) {
      draft.mark(`keys ${kind} ${index} ${point}`);
      if (point === null) draft.movePlace(JSON.parse(JSON.stringify(points)), ...by);
      else draft.movePoint(point, [points[point][0] + by[0], points[point][1] + by[1]]);
    } else if (event.key === "[" || event.key === "]") {
      const last = points.length - 1;
      const next = event.key === "]" ? (point ?? -1) + 1 : (point ?? last + 1) - 1;
      draft.select(kind, index, next < 0 || next > last ? null : next);
    } else if (event.key === "Insert" && kind === "zone") this.act(() => draft.insertPoint(point ?? points.length - 1));
    else if (event.key === "Delete" && point !== null) this.act(() => draft.deletePoint(point));
    else if (event.key === "Escape") draft.select(null, null);
    else return false;
    return true;
  }
}
