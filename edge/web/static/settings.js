// The settings that can be changed while the sensor runs, as over MQTT.

import { Refusal, confirmed, say, send } from "./ask.js";
import { byId, el, fill, setText } from "./dom.js";
import { plain } from "./words.js";

// Text, what it does, and the unit.
const KNOWN = {
  enabled: ["Camera", "Off closes the camera"], // the privacy switch, in the bar on top
  presence: ["Presence", "Arrivals, and an empty room"],
  posture: ["Posture", "Standing, sitting, lying"],
  fall: ["Falls", "Suspected and confirmed"],
  gestures: ["Gestures", "Raised hands, waving"],
  min_confidence: ["Minimum confidence", "Hides keypoints below it", ""],
  fall_confirm_s: ["Confirm a fall after", "Time on the floor", "s"],
  presence_leave_s: ["Empty after", "Time without a person", "s"],
  max_rate_hz: ["Keypoints over MQTT", "At most; 0 = every frame", "/s"],
};
const SAVE_MS = 700;

/** `settings` is the event of the stream: {values, limits}. */
export function showSettings({ values, limits = {} }, overrides = {}) {
  const order = Object.keys(KNOWN);
  const names = Object.keys(values).sort((a, b) => (order.indexOf(a) + 1 || 99) - (order.indexOf(b) + 1 || 99));
  const items = names.map((name) => ({ name, value: values[name], limits: limits[name], changed: name in (overrides ?? {}) }));
  const [top, others] = [items.filter((item) => item.name === "enabled"), items.filter((item) => item.name !== "enabled")];
  fill(byId("privacy"), top, (item) => item.name, makeSetting, updateSetting);
  fill(byId("settings"), others, (item) => item.name, makeSetting, updateSetting);
  byId("reset").hidden = !items.some((item) => item.changed);
}

const isSwitch = (value) => value === "ON" || value === "OFF";

function makeSetting({ name, value }) {
  const [title, help, unit] = KNOWN[name] ?? [plain(name), "", ""];
  const id = `setting-${name}`;
  const label = el("label", { htmlFor: id }, el("span", { className: "title", textContent: title }),
    el("small", { id: `${id}-help`, textContent: help }));
  const input = el("input", { id, name, aria: { describedby: `${id}-help` } });
  if (isSwitch(value)) {
    input.type = "checkbox";
    input.setAttribute("role", "switch");
    input.addEventListener("change", () => change(input, input.checked ? "ON" : "OFF"));
  } else {
    Object.assign(input, { type: "number", inputMode: "decimal", step: "any", autocomplete: "off" });
    let timer = 0;
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(() => change(input, input.value), SAVE_MS);
    };
    input.addEventListener("input", later);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") change(input, input.value);
      if (event.key === "Escape") restore(input);
    });
  }
  return el("div", { className: isSwitch(value) ? "setting switch" : "setting" }, label,
    el("span", { className: "control" }, input, ...(isSwitch(value) ? [] : [el("span", { className: "unit", textContent: unit })])));
}

function updateSetting(node, { name, value, limits, changed }) {
  const input = node.querySelector("input");
  node.classList.toggle("changed", changed);
  node.title = changed ? "Changed: the configuration file has another value" : "";
  input.dataset.value = value;
  if (limits && input.type === "number") [input.min, input.max] = limits;
  if (input.type === "number") input.step = name === "min_confidence" ? "0.05" : "any";
  if (input.type === "checkbox" || (document.activeElement !== input && !input.dataset.wrong)) restore(input);
}

function restore(input) {
  const { value } = input.dataset;
  if (input.type === "checkbox") input.checked = value === "ON";
  else if (Number(input.value) !== Number(value) || input.value === "") input.value = value;
  accept(input);
}

function accept(input) {
  const error = byId("settings-error");
  if (input.dataset.wrong) error.hidden = true;
  delete input.dataset.wrong;
  input.removeAttribute("aria-invalid");
}

/** Change a setting; while it is wrong, say why. */
export async function change(input, text) {
  const error = byId("settings-error");
  try {
    if (text === "") throw new Refusal({ problem: "enter a number" });
    await send("POST", `/settings/${input.name}`, { value: String(text).trim() });
    accept(input);
  } catch (refusal) {
    const title = KNOWN[input.name]?.[0] ?? plain(input.name);
    error.hidden = false;
    setText(error, `${title}: ${refusal.text}`);
    if (input.name === "enabled") say(error.textContent);
    else input.closest(".setting").append(error);
    input.dataset.wrong = "yes";
    input.setAttribute("aria-invalid", "true");
    if (input.type === "checkbox") input.checked = input.dataset.value === "ON";
  }
}

byId("reset").addEventListener("click", async () => {
  const text = "This restores all settings, zones and lines of the configuration file. A camera that is off stays off.";
  if (!(await confirmed("Restore from the file?", text, "Restore"))) return;
  try {
    await send("POST", "/requests/reset_settings");
    say("Settings, zones and lines restored");
  } catch (refusal) {
    say(refusal.text);
  }
});
