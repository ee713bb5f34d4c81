// Texts for values of the wire. An unknown value is "unknown", never 0.

export const UNKNOWN = "unknown";

const RULES = { presence: "Presence", zone: "Zone", line: "Line", fall: "Fall", gesture: "Gesture" };

const PHASES = {
  "presence.arrived": "A person arrived",
  "presence.left": "Presence ended",
  "zone.entered": "entered {zone}",
  "zone.loitering": "stays in {zone}",
  "zone.left": "left {zone}",
  "line.crossed_in": "crossed {zone}: in",
  "line.crossed_out": "crossed {zone}: out",
  "fall.suspected": "Fall suspected",
  "fall.dismissed": "Fall dismissed",
  "fall.confirmed": "Fall confirmed",
  "fall.still_down": "Still on the floor",
  "fall.cleared": "Fall cleared",
  "gesture.left_hand_raised": "raises the left hand",
  "gesture.right_hand_raised": "raises the right hand",
  "gesture.both_hands_raised": "raises both hands",
  "gesture.waving": "waves",
  "gesture.ended": "Gesture ended",
};

const LEVELS = { "fall.confirmed": "bad", "fall.still_down": "bad", "fall.suspected": "hint", "fall.cleared": "good" };

/** One line for an event, such as "Person 3 entered bed". */
export function eventText(event) {
  const phase = PHASES[`${event.rule}.${event.event_type}`]?.replace("{zone}", () => event.zone ?? "a zone");
  const text = phase ?? `${RULES[event.rule] ?? plain(event.rule)}: ${plain(event.event_type)}`;
  const person = event.person === null || event.person === undefined ? null : event.person;
  if (/^[a-z]/.test(text)) return person === null ? `A person ${text}` : `Person ${person} ${text}`;
  return person === null || event.rule === "presence" ? text : `${text}: person ${person}`;
}

export const eventLevel = (event) => LEVELS[`${event.rule}.${event.event_type}`] ?? "plain";

export const plain = (name) => String(name).replaceAll("_", " ");

export const number = (value, digits = 0) =>
  typeof value === "number" && Number.isFinite(value) ? value.toFixed(digits) : UNKNOWN;

/** 18:04:05 in the time of this browser, or 30 Nov, 18:04 on another day. */
export function clock(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  if (date.toDateString() === new Date().toDateString()) return date.toLocaleTimeString(undefined, { hourCycle: "h23" });
  const format = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return date.toLocaleString(undefined, format);
}

/** A time in words: 8 s, 3 min, 2 h 5 min, 3 days. */
export function duration(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return UNKNOWN;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  const days = Math.floor(s / 86400);
  return `${days} ${days === 1 ? "day" : "days"}`;
}

export const people = (count) => (count === 1 ? "1 person" : `${count} people`);

/** Why the view shows nothing, or "" if it does. */
export function cover({ live, since, refusal, health, info }) {
  if (!live && refusal) return refusal;
  if (!live) return since ? `No data since ${clock(since)}` : "Connecting to the sensor";
  if (info?.problem) return info.problem;
  switch (health?.camera) {
    case "off":
      return "The camera is off";
    case "starting":
      return "The camera is starting";
    case "stalled":
      return "The camera delivers no frames";
    case "blind":
      return "Nothing can be seen: it is dark, or the lens is covered";
    default:
      return "";
  }
}
