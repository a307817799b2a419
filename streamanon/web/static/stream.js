// One stream: its preview, its figures, its settings.

import { Chart } from "./chart.js";
import { Sender, buildIdentity, buildMethods, showIdentity, showMethod } from "./choices.js";
import { patch, streamPath } from "./http.js";
import { buildLevels, showLevel, showMethods } from "./levels.js";

const SAMPLES = 180;
const STATES = {
  starting: "Starting", live: "Live", lost: "Input lost", restarting: "Restarting", stopped: "Stopped",
};

const number = new Intl.NumberFormat("en-GB");
const plural = (count, one, many) => `${number.format(count)} ${count === 1 ? one : many}`;
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);

export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

function fill(list, items, none) {
  const texts = items.length ? items : [none];
  while (list.children.length > texts.length) list.lastChild.remove();
  while (list.children.length < texts.length) list.append(document.createElement("li"));
  texts.forEach((text, index) => {
    const item = list.children[index];
    if (item.textContent !== text) item.textContent = text;
  });
  list.classList.toggle("none", !items.length);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class StreamCard {
  constructor(name, samples) {
    this.name = name;
    this.path = streamPath(name);
    const copy = document.getElementById("stream").content.cloneNode(true);
    this.element = copy.querySelector("article");
    this.element.dataset.name = name;
    this.find = (selector) => this.element.querySelector(selector);
    this.find("h2").textContent = name;
    this.picture = this.find(".preview img");
    this.picture.alt = `Anonymised preview of ${name}`;
    this.picture.addEventListener("load", () => this.seen(true));
    this.picture.addEventListener("error", () => this.seen(false));
    this.mode = "nothing";
    this.samples = samples;
    this.charts = this.buildCharts();
    this.buildControls();
  }

  buildCharts() {
    const chart = (figure, options) =>
      new Chart(this.find(`[data-figure=${figure}]`), { length: SAMPLES, ...options });
    return {
      fps: chart("fps", { least: 30, words: ([out, into]) => `${out.toFixed(1)} out, ${into.toFixed(1)} in` }),
      latency: chart("latency", {
        least: 50, words: ([p50, p99]) => `median ${Math.round(p50)} ms, slowest 1 % ${Math.round(p99)} ms`,
      }),
      dropped: chart("dropped", { least: 5, steps: true, words: ([count]) => `${count} dropped` }),
      faces: chart("faces", { least: 2, steps: true, words: ([count]) => plural(count, "face", "faces") }),
    };
  }

  buildControls() {
    buildLevels(this.find(".level"));
    this.methods = this.find(".methods");
    this.identity = this.find(".identity");
    this.sender = new Sender((settings) => this.send(settings));
    buildMethods(this.methods, (method) => this.change({ method })).catch((error) => this.refuse(error));
    buildIdentity(this.identity, {
      title: "Who everybody becomes",
      current: () => this.status.identity,
      chosen: (identity) => this.change({ identity }),
      failed: (error) => this.refuse(error),
    });
  }

  change(settings) {
    this.refuse(null);
    this.status = { ...this.status, ...settings };
    this.sender.push(settings);
    this.showSettings();
  }

  async send(settings) {
    try {
      const status = await patch(this.path, settings);
      if (this.sender.wanted === null) this.status = status;
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error) {
    const notice = this.find(".refused");
    notice.hidden = error === null;
    notice.textContent = error?.message ?? "";
  }

  // "moving": a picture that never ends loading; "still": a new one with every update.
  show(mode) {
    if (mode === this.mode) return;
    this.mode = mode;
    if (mode === "moving") this.picture.src = `${this.path}/preview.mjpg?${Date.now()}`;
    else if (mode === "still") this.renew();
    else {
      this.picture.removeAttribute("src");
      this.seen(false);
    }
  }

  renew() {
    this.picture.src = `${this.path}/preview.jpg?${Date.now()}`;
  }

  seen(there) {
    this.picture.hidden = !there;
    this.find(".nothing").hidden = there;
    if (!there && this.mode === "moving") setTimeout(() => this.again(), 2000);
  }

  again() {
    if (this.mode !== "moving") return;
    this.mode = "nothing";
    this.show("moving");
  }

  update(status) {
    const { method, identity } = this.sender.busy ? this.status : status;
    this.status = { ...status, method, identity };
    this.find(".panel").setAttribute("aria-busy", String(this.sender.busy));
    this.sample(status);
    if (this.mode === "still") this.renew();
    const state = this.find(".state");
    setText(state, STATES[status.state] ?? status.state);
    state.dataset.state = status.state;
    setText(this.find(".since"), `for ${duration(status.since_s)}`);
    setText(this.find(".input"), status.input);
    const [width, height] = status.size;
    if (width) {
      setText(this.find(".input"), `${status.input} · ${width} × ${height}`);
      this.find(".preview").style.aspectRatio = `${width} / ${height}`;
    }
    const error = this.find(".error");
    error.hidden = !status.error;
    setText(error, status.error);
    this.showSettings();
    this.showFigures(status);
    this.showOutputs(status);
    this.showBooks(status);
  }

  // Its server does not answer: what is shown is old.
  disconnect() {
    const state = this.find(".state");
    setText(state, "Unknown");
    state.dataset.state = "lost";
    setText(this.find(".since"), "");
  }

  sample(status) {
    const at = Date.now() / 1000;
    this.samples.push({ ...status, dropped: sum(status.dropped), at });
    this.samples = this.samples.slice(-SAMPLES - 1);
  }

  showSettings() {
    showMethod(this.methods, this.status.method);
    showIdentity(this.identity, this.status.identity, this.status.method);
    showLevel(this.find(".level"), this.status);
  }

  showFigures(status) {
    const past = this.samples.slice(1);
    const drops = past.map((sample, index) => [Math.max(0, sample.dropped - this.samples[index].dropped)]);
    this.charts.fps.draw(past.map((s) => [s.fps_out, s.fps_in]));
    this.charts.latency.draw(past.map((s) => [s.latency_p50_ms, s.latency_p99_ms]));
    this.charts.dropped.draw(drops);
    this.charts.faces.draw(past.map((s) => [s.faces]));
    const minute = drops.slice(-60).reduce((total, [count]) => total + count, 0);
    this.figure("fps", status.fps_out.toFixed(1), `out, ${status.fps_in.toFixed(1)} in`);
    const slow = Math.round(status.latency_p99_ms);
    this.figure("latency", `${Math.round(status.latency_p50_ms)} ms`, `receipt to output, median; p99\u00a0${slow}\u00a0ms`);
    this.figure("dropped", number.format(minute), "in the last minute");
    this.figure("faces", number.format(status.faces), `${plural(status.people, "track", "tracks")} so far`);
  }

  figure(name, value, note) {
    setText(this.find(`[data-figure=${name}] b`), value);
    setText(this.find(`[data-figure=${name}] small`), note);
  }

  showOutputs(status) {
    const list = this.find(".outputs ul");
    const texts = status.outputs.map((output) => {
      const notes = [output.connected ? "connected" : output.reason || "not connected"];
      if (output.restarts) notes.push(plural(output.restarts, "restart", "restarts"));
      if (output.dropped) notes.push(`${number.format(output.dropped)} dropped`);
      return `${output.name}\n${notes.join(", ")}`;
    });
    fill(list, texts, "none");
    status.outputs.forEach((output, index) => {
      list.children[index].dataset.state = output.connected ? "live" : "lost";
    });
  }

  showBooks(status) {
    showMethods(this.find(".counts"), status.methods);
    const causes = Object.entries(status.dropped).filter(([, count]) => count);
    fill(this.find(".drops ul"), causes.map(([cause, count]) => `${number.format(count)} ${cause}`), "none");
    fill(this.find(".events ul"), [
      plural(status.frames, "frame", "frames"),
      plural(status.reconnects, "reconnect", "reconnects"),
      plural(status.restarts, "restart", "restarts"),
    ], "");
  }
}
