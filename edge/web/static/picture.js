// The picture behind the skeletons: only on a press, for two minutes, if the configuration allows it.

import { send } from "./ask.js";
import { byId, setText } from "./dom.js";

const PAUSE_MS = 200; // five pictures per second are enough
const AGAIN_MS = 1000;
const LONGEST_MS = 4000; // the sensor answers within one second; without Wi-Fi, browsers would wait for minutes

export class Picture {
  /** `onPicture()` is called whenever `image` has changed. */
  constructor(onPicture) {
    this.onPicture = onPicture;
    this.image = null; // ImageBitmap
    this.sequence = null; // number of its frame
    this.token = null;
    this.abort = null; // ends the request for a picture
    this.ends = 0; // performance.now()
    this.allowed = null;
    this.button = byId("show-picture");
    this.button.addEventListener("click", () => (this.token ? this.stop() : this.start()));
    addEventListener("pagehide", () => this.stop());
    setInterval(() => this.#show(), 500);
  }

  /** The event `pictures` of the stream. */
  update({ allowed, watched }) {
    this.allowed = allowed;
    byId("watched").hidden = !watched;
    this.#note(""); // of a press while the sensor was away
    this.#show();
  }

  async start() {
    if (this.allowed === false) {
      this.#note("Pictures are off. To allow them, set privacy.allow_pictures = true in the configuration file, and restart the service.");
      return;
    }
    this.#note("");
    try {
      const { token, seconds } = await send("POST", "/pictures");
      this.token = token;
      this.ends = performance.now() + seconds * 1000;
    } catch (refusal) {
      this.#note(refusal.text);
      return;
    }
    this.#show();
    this.#fetchAll(this.token);
  }

  stop() {
    const { token } = this;
    if (!token) return;
    this.#end();
    send("DELETE", `/pictures?token=${encodeURIComponent(token)}`, undefined, { keepalive: true }).catch(() => {});
  }

  async #fetchAll(token) {
    let after = "";
    while (this.token === token) {
      const asked = performance.now();
      let pause = 0;
      const abort = (this.abort = new AbortController());
      const limit = setTimeout(() => abort.abort(), LONGEST_MS);
      try {
        const answer = await fetch(`/picture.jpg?token=${encodeURIComponent(token)}${after}`, { cache: "no-store", signal: abort.signal });
        if (answer.ok && answer.status !== 204) {
          const image = await createImageBitmap(await answer.blob());
          if (this.token !== token) image.close();
          else this.#take(image, Number(answer.headers.get("X-Sequence")));
          after = `&after=${this.sequence}`;
        } else if ([401, 403, 404, 409].includes(answer.status)) {
          if (this.token === token) this.#end();
          return;
        }
      } catch {
        pause = AGAIN_MS; // the sensor is away; the token may still be good when it is back
      } finally {
        clearTimeout(limit);
      }
      pause = Math.max(pause, PAUSE_MS - (performance.now() - asked)); // the sensor may have waited for the picture
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  #take(image, sequence) {
    this.image?.close();
    this.image = image;
    this.sequence = sequence;
    this.onPicture();
  }

  #end() {
    this.token = null;
    this.abort?.abort();
    this.image?.close();
    this.image = this.sequence = null;
    this.#show();
    this.onPicture();
  }

  #show() {
    const left = Math.ceil((this.ends - performance.now()) / 1000);
    if (this.token && left <= 0) this.stop();
    const text = this.token ? `Hide ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "Show picture";
    setText(byId("show-picture-text"), text);
    this.button.classList.toggle("on", Boolean(this.token));
    this.button.classList.toggle("off", this.allowed === false);
  }

  #note(text) {
    const note = byId("picture-note");
    note.hidden = !text;
    setText(note, text);
  }
}
