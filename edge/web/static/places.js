// The panel of zones and lines: the list, the form of the selected one, saving.

import { Refusal, confirmed, say, send } from "./ask.js";
import { byId, el, fill, setText } from "./dom.js";
import { Editor } from "./editor.js";
import { openForm } from "./place-form.js";
import { duration, plain } from "./words.js";

const KIND_WORDS = { area: "area", bed: "bed", exclude: "excluded", line: "line" };

export class Places {
  /** `onChange()` is called whenever the view must be drawn again. */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.saved = { zones: [], lines: [], changed: false, toml: "" };
    this.known = false;
    this.editor = null;
    this.form = openForm(byId("place-form"), () => this.editor, () => this.show());
    const press = (id, action) => byId(id).addEventListener("click", action);
    press("edit", () => this.edit());
    press("add-zone", () => this.editor.begin("zone"));
    press("add-line", () => this.editor.begin("line"));
    press("undo", () => this.editor.undo());
    press("redo", () => this.editor.redo());
    press("cancel", () => this.cancel());
    press("save", () => this.save());
    press("drop-corner", () => this.editor.act((draft) => draft.deletePoint(draft.selected.point)));
    press("copy", () => this.copy());
    press("to-file", () => this.toFile());
    document.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("beforeunload", (event) => this.editor?.draft.changed && event.preventDefault());
  }

  /** The event `places` of the stream. */
  update(places) {
    this.saved = places;
    this.known = true;
    const now = JSON.stringify({ zones: places.zones, lines: places.lines });
    const { draft } = this.editor ?? {};
    if (draft && now !== draft.original && now !== JSON.stringify(draft.places)) {
      this.#error("The zones or lines in use have changed since you began. Save replaces them.");
    }
    this.show();
  }

  /** What to draw. */
  get shown() {
    return this.editor ? this.editor.draft.places : this.saved;
  }

  edit() {
    if (this.editor) return;
    this.editor = new Editor(this.canvas, this.saved, (onlyDraw) => (onlyDraw ? this.onChange() : this.show()));
    if (!this.saved.zones.length && !this.saved.lines.length) this.editor.begin("zone");
    this.show();
    byId("add-zone").focus({ preventScroll: true });
  }

  async cancel() {
    const { draft } = this.editor;
    const question = "Everything that you have changed since the last save will be lost.";
    if (draft.changed && !(await confirmed("Discard the changes?", question, "Discard"))) return;
    this.#close();
  }

  async save() {
    if (this.editor.drawing && !this.editor.finish()) {
      say(this.editor.drawing.kind === "zone" ? "A zone needs three corners or more" : "A line needs two ends");
      return;
    }
    const { zones, lines } = this.editor.draft.places;
    const unnamed = [["zones", zones], ["lines", lines]].flatMap(([kind, all]) => all.flatMap((one, index) => (one.name ? [] : [`${kind}[${index + 1}].name`])));
    if (unnamed.length) {
      this.#refused(new Refusal({ key: unnamed[0], problem: "enter a name" }));
      return;
    }
    byId("save").disabled = true;
    try {
      await send("PUT", "/places", this.editor.draft.places);
      this.saved = { ...this.saved, ...this.editor.draft.places };
      this.#close();
      say("Saved. The zones and lines are now in use");
    } catch (refusal) {
      this.#refused(refusal);
    } finally {
      byId("save").disabled = false;
    }
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.saved.toml);
      say("Copied. Paste it into the configuration file");
    } catch {
      // Browsers have no clipboard on pages without TLS, except for those of this machine.
      this.#error("");
      const text = el("textarea", { readOnly: true, value: this.saved.toml, rows: 8, className: "toml", aria: { label: "Zones and lines as TOML" } });
      byId("places-card").querySelector(".toml")?.remove();
      byId("places-tools").after(text);
      text.focus();
      text.select();
      say("Copy the selected text");
    }
  }

  async toFile() {
    const question = "This deletes the zones and lines drawn here, and restores those of the configuration file.";
    if (!(await confirmed("Restore from the file?", question, "Restore"))) return;
    try {
      await send("DELETE", "/places");
      if (this.editor) this.#close();
      say("Zones and lines restored");
    } catch (refusal) {
      this.#error(refusal.text);
    }
  }

  show() {
    const { editor } = this;
    document.body.classList.toggle("editing", Boolean(editor));
    byId("tools").hidden = Boolean(editor);
    byId("edit-tools").hidden = !editor;
    byId("places-tools").hidden = Boolean(editor);
    byId("hints").hidden = !editor;
    byId("edit").disabled = !this.known;
    byId("to-file").hidden = !this.saved.changed;
    byId("copy").hidden = !this.saved.zones.length && !this.saved.lines.length;
    if (editor) {
      setText(byId("hint"), editor.hint);
      const { selected, place } = editor.draft;
      byId("drop-corner").hidden = Boolean(editor.drawing) || selected?.kind !== "zone" || selected.point === null || place.points.length <= 3;
      byId("undo").disabled = !editor.draft.undos.length && !editor.drawing;
      byId("redo").disabled = !editor.draft.redos.length || Boolean(editor.drawing);
      byId("add-zone").setAttribute("aria-pressed", String(editor.drawing?.kind === "zone"));
      byId("add-line").setAttribute("aria-pressed", String(editor.drawing?.kind === "line"));
    }
    this.#list();
    this.form.show();
    this.onChange();
  }

  #list() {
    const { zones, lines } = this.shown;
    const items = [
      ...zones.map((zone, index) => ({ kind: "zone", index, type: zone.kind, place: zone })),
      ...lines.map((line, index) => ({ kind: "line", index, type: "line", place: line })),
    ];
    byId("places-none").hidden = items.length > 0;
    setText(byId("places-none"), !this.known ? "Unknown until the sensor reports." : this.editor ? "Draw the first one." : "None yet. Press “Edit zones” to draw one.");
    fill(byId("places"), items, (item) => `${item.kind} ${item.index}`, () => this.#item(), (node, item) => this.#updateItem(node, item));
  }

  #item() {
    const button = el("button", { type: "button", className: "place" }, el("span", { className: "name" }), el("span", { className: "kind" }), el("span", { className: "now" }));
    return el("li", {}, button);
  }

  #updateItem(node, { kind, index, type, place }) {
    const button = node.firstChild;
    const { selected } = this.editor?.draft ?? {};
    button.dataset.kind = type;
    button.setAttribute("aria-pressed", String(selected?.kind === kind && selected.index === index));
    setText(button.children[0], place.name);
    setText(button.children[1], place.name === type ? "" : KIND_WORDS[type] ?? plain(type));
    const zone = kind === "zone" && !this.editor ? this.occupied?.[place.name] : null;
    setText(button.children[2], zone?.occupied ? `${zone.people} in it, ${duration(zone.dwell_s)}` : zone && type !== "exclude" ? "empty" : "");
    button.onclick = () => {
      this.edit();
      this.editor.drawing = null;
      this.editor.draft.select(kind, index);
      this.show();
    };
  }

  /** `zones` of the state: the people in each zone. */
  setOccupied(zones) {
    this.occupied = zones;
    if (!this.editor) this.#list();
  }

  #close() {
    this.editor.close();
    this.editor = null;
    this.#error("");
    this.show();
    byId("edit").focus({ preventScroll: true });
  }

  /** Show an error beside what it is about. */
  #refused(refusal) {
    const found = this.editor.draft.find(refusal.key);
    if (found) {
      this.editor.drawing = null;
      this.editor.draft.select(found.kind, found.index);
      this.show();
      this.form.refuse(found.field, refusal.text);
      this.#error("");
    } else {
      this.#error(refusal.text);
    }
  }

  #error(text) {
    byId("places-error").hidden = !text;
    setText(byId("places-error"), text);
  }

  #key(event) {
    if (!this.editor || !(event.ctrlKey || event.metaKey) || event.target.matches("input, textarea")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) this.editor.redo();
    else this.editor.undo();
  }
}
