// The health strip, with lines of the last ten minutes.

import { byId, drawn, el, fill, setData, setText } from "./dom.js";
import { duration, number, UNKNOWN } from "./words.js";

const WIDTH = 120;
const HEIGHT = 30;
const READINGS = 120; // of ten minutes; there are fewer after the start

/** `sensor` has the newest messages; each may be missing. */
export function showHealth({ health, info, status, history, skew }) {
  fill(byId("health"), tiles(health, info, status, history ?? {}), (tile) => tile.name, makeTile, updateTile);
  setText(byId("health-note"), notes(health, info, skew).join(" · "));
}

function tiles(health, info, status, history) {
  const inference = health?.latency_ms?.inference;
  const frames = health?.frames;
  const temperature = health?.soc_temperature_c;
  const connected = status?.connected;
  const backend = health?.backend ?? info?.backend?.name;
  return [
    { name: "Frames", value: number(health?.fps, 1), unit: "fps", series: history.fps },
    { name: "Inference", value: number(inference?.median, 1), unit: "ms", series: history.inference_ms },
    { name: "Temperature", value: number(temperature), unit: "°C", series: history.temperature_c, floor: 20,
      level: health?.throttled ? "bad" : temperature > 80 ? "hint" : "plain" },
    { name: "Dropped", value: number(frames?.dropped), unit: "frames", series: history.dropped },
    { name: "Broker", value: connected === undefined ? UNKNOWN : connected ? "connected" : "away",
      level: connected === false ? "bad" : "plain",
      more: health?.messages_dropped ? `${health.messages_dropped} messages not sent` : "MQTT" },
    { name: "Backend", value: backend === "edgetpu" ? "Edge TPU" : backend === "cpu" ? "CPU" : UNKNOWN },
  ];
}

/** A text in which a line may also end after a dot or an underscore, with a space of no width. */
const breakable = (text) => text.replace(/[._](?=\w)/g, "$&\u200b");

function notes(health, info, skew) {
  const list = [];
  if (Math.abs(skew ?? 0) > 90_000) {
    list.push(`The sensor's clock is ${duration(Math.abs(skew) / 1000)} ${skew < 0 ? "behind" : "ahead of"} yours`);
  }
  if (health?.throttled) list.push("The processor is slowed down by heat or a weak power supply");
  if (health?.idle) list.push("Idle: no person is in view, so fewer frames are analysed");
  if (health?.frames?.unreadable) list.push(`${health.frames.unreadable} unreadable frames`);
  if (health?.camera_reopened) list.push(`Camera reopened ${health.camera_reopened} times`);
  if (info?.camera) list.push(`Camera ${info.camera.source}`);
  if (info?.camera?.frame) list.push(`${info.camera.frame.width} × ${info.camera.frame.height} px`);
  if (info?.model) list.push(info.model.name);
  if (health) list.push(`Up for ${duration(health.uptime_s)}`, `${number(health.rss_mb)} MB`);
  if (info?.version) list.push(`edge-pose ${info.version}`);
  const reason = health?.backend_reason ?? info?.backend?.reason;
  if (reason) list.push(`Backend: ${breakable(reason)}`);
  return list;
}

function makeTile() {
  const line = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "spark", "aria-hidden": "true" });
  line.append(drawn("path", { class: "area" }), drawn("path", { class: "line" }));
  return el("div", {}, el("dt"), el("dd", { className: "value" }, el("b"), " ", el("span")), el("dd", { className: "more" }, el("span"), line));
}

function updateTile(node, { name, value, unit, series, more, level = "plain", floor = 0 }) {
  setData(node, "level", value === UNKNOWN ? "unknown" : level);
  setText(node.querySelector("dt"), name);
  setText(node.querySelector("b"), value);
  setText(node.querySelector(".value span"), unit && value !== UNKNOWN ? unit : "");
  setText(node.querySelector(".more span"), more ?? "");
  node.querySelector(".more span").title = more ?? "";
  const svg = node.querySelector("svg");
  svg.toggleAttribute("hidden", !series);
  if (!series) return;
  const { line, area } = paths(series, floor);
  if (svg.firstChild.getAttribute("d") !== area) svg.firstChild.setAttribute("d", area);
  if (svg.lastChild.getAttribute("d") !== line) svg.lastChild.setAttribute("d", line);
}

/** The paths of a spark-line, oldest value first. null is a gap. */
export function paths(series, floor = 0) {
  const known = series.filter((value) => value !== null);
  const top = Math.max(...known, floor + 1e-6);
  const bottom = Math.min(...known, floor);
  const most = Math.max(series.length, READINGS);
  const step = WIDTH / (most - 1);
  let line = "";
  let area = "";
  let start = null;
  let last = null;
  const close = () => {
    if (start !== null) area += `V${HEIGHT}H${start}Z`;
    start = null;
  };
  series.forEach((value, index) => {
    if (value === null) return close();
    const x = ((most - series.length + index) * step).toFixed(1);
    const y = (HEIGHT - 2 - ((value - bottom) / (top - bottom)) * (HEIGHT - 4)).toFixed(1);
    if (start === null) {
      start = x;
      line += `M${x} ${y}`;
      area += `M${x} ${y}`;
    }
    line += `L${x} ${y}`;
    area += `L${x} ${y}`;
    last = index;
  });
  if (last !== null) close();
  return { line, area };
}
