// What is wrong with the aim of the camera, and what to do.

import { byId, el, fill, setData, setText } from "./dom.js";
import { duration } from "./words.js";

const ORDER = { bad: 0, hint: 1, good: 2 };

/** The worst verdict in large letters, the others below. `aim` is null while it is unknown. */
export function showAim(aim) {
  const verdicts = [...(aim?.verdicts ?? [])].sort((a, b) => (ORDER[a.level] ?? 3) - (ORDER[b.level] ?? 3));
  const [first, ...others] = verdicts;
  const watched = aim ? `Watched for ${duration(aim.watched_s)}.` : "";
  setData(byId("verdict"), "level", first?.level ?? "unknown");
  setText(byId("verdict-text"), first?.text ?? (aim ? "No verdict yet" : "The aim is unknown"));
  setText(byId("verdict-remedy"), first?.remedy || (first ? "" : watched));
  fill(byId("verdicts"), others, (one) => one.code, makeVerdict, updateVerdict);
}

function makeVerdict() {
  return el("li", {}, el("strong"), " ", el("span"));
}

function updateVerdict(node, verdict) {
  setData(node, "level", verdict.level);
  setText(node.querySelector("strong"), verdict.text);
  setText(node.querySelector("span"), verdict.remedy ?? "");
}
