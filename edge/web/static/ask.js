// Requests to the sensor, and questions to the user.

const LONGEST_MS = 15_000; // without Wi-Fi, browsers would wait for minutes; the sensor answers within ten seconds

/** What the sensor says is wrong: a key, a problem and a remedy. */
export class Refusal extends Error {
  constructor({ key = "", problem = "", remedy = "" }, status = 0) {
    super(problem);
    Object.assign(this, { key, problem, remedy, status });
  }

  get text() {
    const text = this.remedy ? `${this.problem}: ${this.remedy}` : this.problem;
    return text.charAt(0).toUpperCase() + text.slice(1);
  }
}

/** Send a change. Returns the answer of the sensor. Throws Refusal. */
export async function send(method, path, body, options = {}) {
  let answer;
  let content = null;
  try {
    answer = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: "manual",
      signal: AbortSignal.timeout(LONGEST_MS),
      ...options,
    });
    content = await answer.json().catch(() => null);
  } catch {
    throw new Refusal({ problem: "the sensor does not answer", remedy: "try again when the page is live" });
  }
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    location.assign("/login");
    throw new Refusal({ problem: "you are logged out", remedy: "log in again" }, 401);
  }
  if (!answer.ok) throw new Refusal(content?.error ?? { problem: `the sensor refused the request (${answer.status})` }, answer.status);
  return content;
}

/** Ask in a dialog; true if the answer is yes. */
export function confirmed(title, text, yes) {
  const dialog = document.getElementById("ask");
  document.getElementById("ask-title").textContent = title;
  document.getElementById("ask-text").textContent = text;
  document.getElementById("ask-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

let timer = 0;

/** Say in a line at the bottom that something is done. */
export function say(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  said.classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(() => said.classList.remove("shown"), 4000);
}
