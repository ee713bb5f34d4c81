// The list of people, and the last events.

import { byId, el, fill, setData, setText } from "./dom.js";
import { clock, duration, eventLevel, eventText, people as peopleText, UNKNOWN } from "./words.js";

const EVENTS = 20;
const SPEAK_MS = 4000;

/** The people of `state`, with the scores of `keypoints`; null while they are unknown. */
export function merged(state, poses) {
  if (!state || state.persons === null || state.persons === undefined) return null;
  const scores = new Map(poses.filter((pose) => pose.id !== null).map((pose) => [pose.id, pose.score]));
  return state.persons.map((person) => ({ ...person, score: scores.get(person.id) ?? null }));
}

let spoken = -Infinity;

/** Show the people. `now` is the time of the sensor's clock, in ms. */
export function showPeople(state, persons, now) {
  const known = persons !== null;
  const count = known ? (state.people ?? persons.length) : null;
  setText(byId("people-count"), known ? String(count) : UNKNOWN);
  const none = byId("people-none");
  none.hidden = known && persons.length > 0;
  setText(none, known ? "No person is in view." : "Unknown until the sensor sees something.");
  fill(byId("people"), persons ?? [], (person) => person.id, makePerson, (node, person) => updatePerson(node, person, now));
  if (performance.now() - spoken > SPEAK_MS) {
    const text = known ? summary(state, count) : "People: unknown";
    if (text !== byId("people-spoken").textContent) spoken = performance.now();
    setText(byId("people-spoken"), text);
  }
}

function summary(state, count) {
  const parts = ["standing", "sitting", "lying"].filter((name) => state[name]).map((name) => `${state[name]} ${name}`);
  return `${peopleText(count)} in view${parts.length ? `: ${parts.join(", ")}` : ""}`;
}

function makePerson() {
  const node = el("li", {},
    el("span", { className: "id" }), el("span", { className: "posture" }), el("span", { className: "where" }),
    el("span", { className: "track" }, el("span", { className: "fill" })),
    el("span", { className: "score" }));
  return node;
}

function updatePerson(node, person, now) {
  const [id, posture, where, track, score] = node.children;
  setText(id, String(person.id));
  setText(posture, person.posture ?? UNKNOWN);
  setData(node, "posture", person.posture ?? UNKNOWN);
  const seconds = (now - Date.parse(person.since)) / 1000;
  setText(where, [Number.isFinite(seconds) ? `for ${duration(seconds)}` : "", ...(person.zones ?? [])].filter(Boolean).join(" · "));
  const share = person.score === null ? null : Math.min(Math.max(person.score, 0), 1);
  track.firstChild.style.transform = `scaleX(${share ?? 0})`;
  setText(score, share === null ? "missed" : `${Math.round(share * 100)} %`);
}

const events = []; // as they came: the sensor's clock may be set back between two of them

/** Add an event. The same message can come twice, because a new connection begins with the last twenty. */
export function addEvent(event) {
  const key = `${event.id} ${event.event_type} ${event.time}`;
  if (events.some((one) => one.key === key)) return;
  events.push({ key, event });
  events.splice(0, Math.max(0, events.length - EVENTS));
  byId("events-none").hidden = true;
  fill(byId("events"), [...events].reverse(), (one) => one.key, makeEvent, () => {});
}

/** The falls among these events that are confirmed and not cleared. */
export function openFalls() {
  const newest = new Map(events.filter(({ event }) => event.rule === "fall").map(({ event }) => [event.id, event]));
  return [...newest.values()].filter((event) => event.event_type === "confirmed" || event.event_type === "still_down");
}

function makeEvent({ event }) {
  const reasons = (event.reasons ?? []).join(" · ");
  return el("li", { data: { level: eventLevel(event) } },
    el("time", { dateTime: event.time, textContent: clock(event.time) }),
    el("span", { className: "what", textContent: eventText(event) }),
    el("span", { className: "why", textContent: reasons }));
}
