// The stream of news from the sensor. It opens again by itself, and says when there is no news.

const NAMES = ["status", "info", "state", "health", "keypoints", "event", "settings", "places", "aim", "history", "pictures"];
const CHECK_MS = 500;
const SILENT_MS = 7000; // the sensor sends something every two seconds
const HUNG_MS = 12000; // a connection that Wi-Fi has lost stays open for minutes: open another one
const RETRY_MS = 1500;
const HIDDEN_MS = 60000; // a page in the background costs the sensor work

/** Calls `onNews(name, data)` for each message, and `onLink({live, since})` when the news stop or come back.
 * `since` is a Date: when the last message came; null before the first one. */
export function openLive(onNews, onLink) {
  let stream = null;
  let opened = 0; // performance.now() of the last attempt
  let heard = -Infinity; // and of the last message
  let heardAt = null;
  let live = null;
  let hidden = 0;

  function open() {
    close();
    opened = performance.now();
    stream = new EventSource("/live");
    for (const name of NAMES) stream.addEventListener(name, take);
    stream.onerror = () => {
      if (stream?.readyState === EventSource.CLOSED) askWhy();
      look();
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
    heard = performance.now();
    heardAt = new Date();
    report(true);
    onNews(message.type, data);
  }

  function report(now) {
    if (live === now) return;
    live = now;
    onLink({ live, since: heardAt });
  }

  function look() {
    const now = performance.now();
    if (document.hidden) {
      hidden ||= now;
      if (now - hidden > HIDDEN_MS) close();
      return;
    }
    if (hidden && !stream) opened = -Infinity;
    hidden = 0;
    const broken = !stream || stream.readyState !== EventSource.OPEN;
    report(now - heard < (broken ? RETRY_MS : SILENT_MS));
    const last = Math.max(opened, heard);
    if (broken ? now - opened > RETRY_MS && (!stream || stream.readyState === EventSource.CLOSED) : now - last > HUNG_MS) open();
    else if (broken && now - last > HUNG_MS) open();
  }

  addEventListener("online", () => open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  document.addEventListener("visibilitychange", look);
  setInterval(look, CHECK_MS);
  open();
}

/** The stream was refused. If the session has ended, go to the login page. */
async function askWhy() {
  try {
    const answer = await fetch("/", { redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || answer.status === 401) location.assign("/login");
  } catch {
    // The sensor is away. It is asked again.
  }
}
