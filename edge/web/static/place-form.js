// The form of the selected zone or line. It does all that the canvas does, for keyboards and screen readers.

import { el, fill, icon, setText } from "./dom.js";
import { clamp } from "./draft.js";

const KINDS = [["area", "Area: a part of the room"], ["bed", "Bed or sofa: lying there is not a fall"], ["exclude", "Exclude: a mirror, a screen"]];

/** `editor()` gives the Editor or null. `onChange()` is called after each change. */
export function openForm(form, editor, onChange) {
  let refused = null; // field with an error
  const draft = () => editor().draft;
  const name = el("input", { id: "place-name", autocomplete: "off", maxLength: 64, spellcheck: false, autocapitalize: "none" });
  const kind = el("select", { id: "place-kind" }, ...KINDS.map(([value, text]) => el("option", { value, textContent: text })));
  const loitering = el("input", { id: "place-loitering", type: "number", min: 0, max: 86400, step: "any", inputMode: "decimal" });
  const points = el("ol", { className: "points", id: "place-points" });
  const details = el("details", {}, el("summary", {}, "Corners"), points);
  const turn = el("button", { type: "button" }, icon("turn"), "Turn the arrow");
  const remove = el("button", { type: "button", className: "danger" }, "Delete");
  const fields = {
    name: field("Name", name), kind: field("Kind", kind), loitering_s: field("Report loitering after, in seconds; 0 = never", loitering),
    points: el("div", { className: "field" }, details, error()),
  };
  form.append(...Object.values(fields), el("div", { className: "row" }, turn, remove));
  form.addEventListener("submit", (event) => event.preventDefault());

  const change = (label, action) => {
    draft().mark(label);
    action(draft().place);
    accept();
    onChange();
  };
  name.addEventListener("input", () => {
    const text = name.value.toLowerCase().replace(/[\s-]+/g, "_").replace(/[^a-z0-9_]/g, "");
    if (text !== name.value) name.value = text;
    change(`name ${draft().selected.index}`, (place) => (place.name = text));
  });
  kind.addEventListener("change", () => change(null, (place) => {
    place.kind = kind.value;
    if (place.kind === "exclude") place.loitering_s = 0;
  }));
  loitering.addEventListener("input", () => change(`loitering ${draft().selected.index}`, (place) => (place.loitering_s = Number(loitering.value) || 0)));
  turn.addEventListener("click", () => change(null, (place) => ([place.from, place.to] = [place.to, place.from])));
  remove.addEventListener("click", () => {
    accept();
    editor().act((one) => one.deletePlace());
  });

  function makePoint({ number }) {
    const coordinate = (axis) => {
      const input = el("input", { type: "number", min: 0, max: 100, step: 0.5, inputMode: "decimal", aria: { label: `Point ${number + 1}, ${axis ? "from the top" : "from the left"}, percent` } });
      input.addEventListener("input", () => {
        if (input.value === "") return;
        draft().mark(`field ${draft().selected.index} ${number} ${axis}`);
        draft().selected.point = number;
        const at = [...draft().points(draft().selected.kind, draft().selected.index)[number]];
        at[axis] = clamp(Number(input.value) / 100);
        draft().movePoint(number, at);
        accept();
        onChange();
      });
      return input;
    };
    const add = el("button", { type: "button", className: "icon quiet", aria: { label: `Add a corner after corner ${number + 1}` } }, icon("add"));
    const drop = el("button", { type: "button", className: "icon quiet", aria: { label: `Delete corner ${number + 1}` } }, icon("delete"));
    add.addEventListener("click", () => editor().act((one) => one.insertPoint(number)));
    drop.addEventListener("click", () => editor().act((one) => one.deletePoint(number)));
    return el("li", {}, el("span", { className: "label" }), coordinate(0), coordinate(1), add, drop);
  }

  function updatePoint(node, { number, at, zone, few, chosen }) {
    const [label, x, y, add, drop] = node.children;
    setText(label, zone ? String(number + 1) : number ? "to" : "from");
    node.classList.toggle("chosen", chosen);
    for (const [input, value] of [[x, at[0]], [y, at[1]]]) {
      if (document.activeElement !== input) input.value = Number((value * 100).toFixed(1));
    }
    add.hidden = drop.hidden = !zone;
    drop.disabled = few;
  }

  function accept() {
    if (refused) refuse(refused, "");
  }

  /** Show an error at a field: name, kind, loitering_s, points, from or to. */
  function refuse(wanted, text) {
    const key = fields[wanted] ? wanted : "points";
    const node = fields[key];
    const note = node.querySelector(".error");
    note.hidden = !text;
    setText(note, text);
    const input = node.querySelector("input, select");
    if (key === "points") details.open ||= Boolean(text);
    else input.setAttribute("aria-invalid", String(Boolean(text)));
    refused = text ? key : null;
    if (text) node.scrollIntoView({ block: "nearest" });
    if (text && key !== "points") input.focus();
  }

  let last = null; // the selected place

  function show() {
    const place = editor()?.draft.place ?? null;
    form.hidden = !place;
    if (!place) {
      accept();
      last = null;
      return;
    }
    const { kind: type, index, point } = draft().selected;
    if (`${type} ${index}` !== last) accept();
    last = `${type} ${index}`;
    const zone = type === "zone";
    if (name.value !== place.name) name.value = place.name;
    fields.kind.hidden = !zone;
    fields.loitering_s.hidden = !zone || place.kind === "exclude";
    turn.hidden = zone;
    setText(remove, zone ? "Delete zone" : "Delete line");
    setText(details.firstChild, zone ? `Corners (${place.points.length})` : "Ends");
    if (zone) {
      kind.value = place.kind;
      if (document.activeElement !== loitering) loitering.value = place.loitering_s ?? 0;
    }
    const items = draft().points(type, index).map((at, number) => ({ number, at, zone, few: place.points?.length <= 3, chosen: number === point }));
    fill(points, items, (item) => item.number, makePoint, updatePoint);
  }

  return { show, refuse };
}

function error() {
  return el("p", { className: "error", role: "alert", hidden: true });
}

function field(text, input) {
  const note = error();
  note.id = `${input.id}-error`;
  input.setAttribute("aria-describedby", note.id);
  return el("div", { className: "field" }, el("label", { htmlFor: input.id, textContent: text }), input, note);
}
