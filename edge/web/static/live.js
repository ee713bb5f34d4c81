// The stream of messages from the sensor. It reconnects by itself, and reports when no message comes.

const NAMES = ["status", "info", "state", "health", "keypoints", "event", "settings", "places", "aim", "history", "pictures"];
const CHECK_MS = 500;
const SILENT_MS = 7000; // the sensor sends something every two seconds
const HUNG_MS = 12000; // a connection that Wi-Fi has lost stays open for minutes: open another one
const RETRY_MS = 1500;
const REFUSED_MS = 10000; // before the next attempt, if there are too many viewers
const HIDDEN_MS = 60000; // a page in the background costs the sensor work

const NEVER = { ticks: -Infinity, wall: -Infinity };
const moment = () => ({ ticks: performance.now(), wall: Date.now() });

/** Milliseconds since a moment, by two clocks: while a phone sleeps, only the wall clock goes on. */
const since = ({ ticks, wall }) => Math.max(performance.now() - ticks, Date.now() - wall);

/** Calls `onNews(name, data)` for each message, and `onLink({live, since, refusal})` when the messages stop or resume.
 * `since` is a Date: when the last message came; null before the first one. `refusal` says why the sensor sends none. */
export function openLive(onNews, onLink) {
  let stream = null;
  let opened = NEVER; // the last attempt
  let heard = NEVER; // the last message
  let hidden = null; // when the page went to the background
  let link = { live: null, since: null, refusal: "" };

  function open() {
    close();
    opened = moment();
    stream = new EventSource("/live");
    for (const name of NAMES) stream.addEventListener(name, take);
    stream.onerror = async () => {
      look();
      if (stream?.readyState !== EventSource.CLOSED) return;
      const refusal = await askWhy();
      if (!link.live) report(false, refusal);
    };
  }

  function close() {
    stream?.close();
    stream = null;
  }

  function take(message) {
    let data;
    try {
      data = JSON.parse(message.data);
    } catch {
      return; // half a line of a connection that broke
    }
    heard = moment();
    report(true);
    onNews(message.type, data);
  }

  function report(live, refusal = live ? "" : link.refusal) {
    if (link.live === live && link.refusal === refusal) return;
    link = { live, refusal, since: heard === NEVER ? null : new Date(heard.wall) };
    onLink(link);
  }

  function look() {
    if (document.hidden) {
      hidden ??= moment();
      if (since(hidden) > HIDDEN_MS) close();
      return;
    }
    if (hidden && !stream) opened = NEVER;
    hidden = null;
    const broken = stream?.readyState !== EventSource.OPEN;
    const closed = !stream || stream.readyState === EventSource.CLOSED;
    report(since(heard) < (broken ? RETRY_MS : SILENT_MS));
    const retry = link.refusal ? REFUSED_MS : RETRY_MS;
    if ((closed && since(opened) > retry) || Math.min(since(opened), since(heard)) > HUNG_MS) open();
  }

  addEventListener("online", () => open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  document.addEventListener("visibilitychange", look);
  setInterval(look, CHECK_MS);
  open();
}

/** Why the sensor refuses the stream; "" if it does not answer. If the session has ended, go to the login page. */
async function askWhy() {
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), HUNG_MS);
  try {
    const answer = await fetch("/live", { cache: "no-store", signal: abort.signal });
    if (answer.status === 401) location.assign("/login");
    const isOurs = answer.status === 503 && answer.headers.get("Content-Type")?.startsWith("text/plain");
    return isOurs ? (await answer.text()).trim() : "";
  } catch {
    return ""; // the sensor is away; it is asked again
  } finally {
    clearTimeout(limit);
    abort.abort(); // it may have sent a stream
  }
}
