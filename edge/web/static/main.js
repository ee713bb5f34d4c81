// The page: receives the messages of the sensor, and passes them to its parts.

import { showAim } from "./aim.js";
import { confirmed, say, send } from "./ask.js";
import { byId, setData, setText } from "./dom.js";
import { showHealth } from "./health.js";
import { openLive } from "./live.js";
import { addEvent, merged, openFalls, showPeople } from "./people.js";
import { Picture } from "./picture.js";
import { Places } from "./places.js";
import { change, showSettings } from "./settings.js";
import { View } from "./view.js";
import { clock, cover, number, people as peopleText } from "./words.js";

const LIST_MS = 250; // the list of people need not change with each frame
const BUFFER = 60; // frames of keypoints that wait for their picture

const sensor = { link: { live: false, since: null }, skew: null }; // the newest message of each name
const frames = []; // the last keypoints, oldest first
let keypointsAt = -Infinity; // performance.now() of the newest keypoints

const view = new View(byId("canvas"), content);
const picture = new Picture(() => view.plan());
const places = new Places(byId("canvas"), () => view.plan());

/** What the view shows now. */
function content() {
  const { link, state, health } = sensor;
  const covered = Boolean(cover({ ...sensor, ...link }));
  const stale = !link.live || performance.now() - keypointsAt > patience();
  const keypoints = picture.image ? nearest(picture.sequence) : frames.at(-1);
  const { zones, lines } = places.shown;
  return {
    poses: health?.camera === "off" || !keypoints || (covered && link.live) ? [] : keypoints.poses,
    sequence: keypoints?.seq,
    stale: stale || covered,
    picture: picture.image,
    zones,
    lines,
    occupied: new Map(Object.entries(state?.zones ?? {}).filter(([, zone]) => zone.occupied).map(([name, zone]) => [name, zone.people])),
    labels: labels(),
    editor: places.editor,
  };
}

/** The keypoints of a picture: those with its number, or the last ones before. */
function nearest(sequence) {
  return frames.findLast((one) => one.seq <= sequence) ?? frames[0];
}

/** How long keypoints may be old and still be shown as now, in ms. */
function patience() {
  const { fps, idle } = sensor.health ?? {}; // an idle sensor analyses a frame every three seconds at least
  return Math.max(idle ? 6000 : 2000, fps > 0 ? 3000 / fps : 0);
}

function labels() {
  const list = new Map();
  for (const person of sensor.state?.persons ?? []) {
    const known = person.posture && person.posture !== "unknown";
    list.set(person.id, { text: known ? `${person.id} ${person.posture}` : String(person.id), alarm: sensor.state.fall === true && person.posture === "lying" });
  }
  return list;
}

const parts = {
  status: () => health(),
  info(info) {
    setText(byId("device"), info.device?.name || info.device?.id || "edge-pose");
    document.title = byId("device").textContent;
    view.setFrame(info.camera?.frame);
    if (sensor.settings) showSettings(sensor.settings, info.overrides);
    health();
    covering();
  },
  state(state) {
    places.setOccupied(state.zones);
    alarm();
    listPeople();
    view.plan();
  },
  health(news) {
    skew(news.time, "health");
    health();
    covering();
  },
  keypoints(keypoints) {
    keypointsAt = performance.now();
    skew(keypoints.time, "keypoints");
    view.setFrame(keypoints.frame);
    frames.push(keypoints);
    if (frames.length > BUFFER) frames.shift();
    if (performance.now() - listed > LIST_MS) listPeople();
    if (!picture.image) view.plan();
  },
  event(event) {
    addEvent(event);
    alarm();
  },
  settings(settings) {
    showSettings(settings, sensor.info?.overrides);
    setData(document.body, "camera", settings.values.enabled === "OFF" ? "off" : "on");
    covering();
  },
  places: (news) => places.update(news),
  aim: showAim,
  history: () => health(),
  pictures: (news) => picture.update(news),
};

function onNews(name, data) {
  sensor[name] = data;
  parts[name](data);
}

const first = new Set(); // messages that came with the connection can be old

/** How far the sensor's clock is ahead of the browser's, in ms. */
function skew(time, name) {
  if (name === "health" && !first.has(name)) return void first.add(name);
  const ahead = Date.parse(time) - Date.now();
  if (Number.isFinite(ahead)) sensor.skew = ahead;
}

function onLink(link) {
  sensor.link = link;
  if (link.live) frames.length = 0; // the people in old frames may have left
  else first.clear();
  const stale = !link.live && link.since;
  document.body.classList.toggle("stale", Boolean(stale));
  setText(byId("link"), link.live ? "Live" : link.since ? `No data since ${clock(link.since)}` : "Connecting");
  setData(byId("link"), "level", link.live ? "good" : link.since ? "bad" : "unknown");
  covering();
  view.plan();
}

let listed = -Infinity;

function listPeople() {
  listed = performance.now();
  const persons = merged(sensor.state, frames.at(-1)?.poses ?? []);
  showPeople(sensor.state, persons, Date.now() + (sensor.skew ?? 0));
  setText(byId("counted"), persons ? peopleText(sensor.state.people ?? persons.length) : "people unknown");
}

function covering() {
  const text = cover({ ...sensor, ...sensor.link });
  const node = byId("cover");
  node.hidden = !text;
  setText(node, text);
  const shown = document.body.dataset.cover;
  const kind = !sensor.link.live ? "link" : text ? sensor.health?.camera ?? "problem" : "";
  if (shown !== kind) setData(document.body, "cover", kind);
  byId("switch-on").hidden = kind !== "off";
  view.plan();
}

function health() {
  showHealth(sensor);
}

/** Show a fall until it is cleared, also while the sensor sees nothing. */
function alarm() {
  const { fall, still_down: still, persons } = sensor.state ?? {};
  const [open] = openFalls();
  const unknown = fall === null && open;
  byId("fall").hidden = fall !== true && !unknown;
  const lying = (persons ?? []).filter((person) => person.posture === "lying").map((person) => person.id);
  const names = lying.length ? ` Lying now: person ${lying.join(", ")}.` : "";
  const known = `${still ? "The person is still on the floor." : "A person has fallen."}${names}`;
  setText(byId("fall-text"), unknown ? `Confirmed at ${clock(open.time)}, and not cleared. The sensor sees nothing now.` : known);
}

byId("switch-on").addEventListener("click", () => change(byId("setting-enabled"), "ON"));

byId("clear-fall").addEventListener("click", async () => {
  if (!(await confirmed("Clear the fall?", "The alarm ends. Look after the person first.", "Clear"))) return;
  try {
    const { data } = await send("POST", "/requests/clear_fall");
    say(`Falls cleared: ${number(data?.falls)}`);
  } catch (refusal) {
    say(refusal.text);
  }
});

// Ages and stale skeletons change without messages.
setInterval(() => {
  if (document.hidden) return;
  if (sensor.state) listPeople();
  view.plan();
}, 1000);

showAim(null);
health();
covering();
openLive(onNews, onLink);
