// The visitor's own camera, sent to the server and shown as it comes back.

import { Chart } from "./chart.js";
import { Sender, buildIdentity, buildMethods, showIdentity, showMethod } from "./choices.js";
import { get, patch, post, remove } from "./http.js";
import { buildLevels, showLevel, showMethods } from "./levels.js";

const GATHER_MS = 2000;
const SAMPLES = 60;
const REFUSALS = {
  NotAllowedError: "The browser was not allowed to use the camera: allow it beside the address, and start again.",
  NotFoundError: "No camera was found: connect one, and start again.",
  NotReadableError: "Another program is using the camera: end it, and start again.",
};

const element = (id) => document.getElementById(id);
const video = element("video");
const wanted = { method: "anonygan", identity: null };
const charts = {};
const past = { fps: [], latency: [], faces: [] };
let connection = null;
let stream = null;
let visit = null;
let shown = 0;
let clock = null;

function tell(text) {
  element("trouble").hidden = !text;
  element("trouble").textContent = text;
}

function setState(state, text) {
  element("state").dataset.state = state;
  element("state").textContent = text;
}

function showWish() {
  showMethod(element("methods"), wanted.method);
  showIdentity(element("identity"), wanted.identity, wanted.method);
}

const sender = new Sender(async (settings) => {
  if (!visit) return;
  try {
    await patch(visit, settings);
    tell("");
  } catch (error) {
    tell(error.message);
  }
});

function change(settings) {
  Object.assign(wanted, settings);
  showWish();
  sender.push(settings);
}

function whyNoCamera() {
  if (window.isSecureContext && navigator.mediaDevices) return "";
  const { port, hostname } = window.location;
  return `Browsers lend the camera only to pages from https:// or from http://localhost, and this one comes from `
    + `http://${hostname}. On the machine itself, open http://localhost:${port}/camera. From another one, forward the `
    + `port (ssh -L ${port}:localhost:${port} ${hostname}) and open that address, or put an HTTPS proxy in front.`;
}

function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, GATHER_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState === "complete") resolve();
    });
  });
}

async function keepSize(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  await sender.setParameters(parameters);
}

async function connect() {
  const size = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
  stream = await navigator.mediaDevices.getUserMedia({ video: size, audio: false });
  const peer = new RTCPeerConnection();
  connection = peer;
  peer.addEventListener("track", ({ track }) => { video.srcObject = new MediaStream([track]); });
  peer.addEventListener("connectionstatechange", () => {
    if (peer === connection && ["failed", "closed"].includes(peer.connectionState)) {
      stop("The connection to streamanon was lost. Start again.");
    }
  });
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", () => stop("The camera was switched off."));
  const sender = peer.addTrack(track, stream);
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  const asked = { ...wanted };
  const answer = await post("api/camera", { sdp: peer.localDescription.sdp, ...asked });
  visit = `api/camera/${answer.id}`;
  if (asked.method !== wanted.method || asked.identity !== wanted.identity) sender.push({ ...wanted });
  await peer.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
  await keepSize(sender);
}

async function start() {
  tell("");
  element("start").disabled = true;
  setState("starting", "Starting");
  try {
    await connect();
  } catch (error) {
    stop(REFUSALS[error.name] ?? error.message);
    return;
  }
  showRunning(true);
  element("stop").focus();
  clock = setInterval(tick, 1000);
}

function showRunning(running) {
  for (const name of ["stop", "level", "counts"]) element(name).hidden = !running;
}

function stop(reason = "") {
  const focused = element("stop").contains(document.activeElement);
  clearInterval(clock);
  stream?.getTracks().forEach((track) => track.stop());
  const peer = connection;
  connection = stream = null;
  peer?.close();
  if (visit) remove(visit).catch(() => {});
  visit = null;
  video.srcObject = null;
  video.hidden = true;
  element("invitation").hidden = false;
  element("start").disabled = Boolean(whyNoCamera());
  showRunning(false);
  if (focused) element("start").focus();
  for (const name of Object.keys(past)) clearFigure(name);
  setState("starting", "Off");
  tell(reason);
}

function count() {
  shown += 1;
  video.hidden = false;
  element("invitation").hidden = true;
  video.requestVideoFrameCallback(count);
}

function figure(name, value, note, sample) {
  const tile = document.querySelector(`[data-figure=${name}]`);
  tile.querySelector("b").textContent = value;
  if (note) tile.querySelector("small").textContent = note;
  past[name] = [...past[name], sample].slice(-SAMPLES);
  charts[name].draw(past[name]);
}

function clearFigure(name) {
  past[name] = [];
  document.querySelector(`[data-figure=${name}] b`).textContent = "–";
  charts[name].draw([]);
}

function stateOf(status, fps) {
  if (status.error) return ["stopped", "Covered"];
  if (!fps || !status.fps) return ["starting", status.frames ? "No picture" : "Starting"];
  if (status.level === "full") return ["live", "Live"];
  return ["lost", `Live, ${status.level}`];
}

async function tick() {
  const fps = shown;
  shown = 0;
  let status;
  try {
    status = await get(visit);
  } catch (error) {
    if (visit) stop(error.message);
    return;
  }
  if (!visit) return;
  setState(...stateOf(status, fps));
  tell(status.error);
  showLevel(element("level"), status);
  showMethods(element("counts"), status.methods);
  const slow = Math.round(status.latency_p99_ms);
  figure("fps", String(fps), "", [fps, status.fps]);
  figure("latency", `${Math.round(status.latency_p50_ms)} ms`, `receipt to reply, median; p99\u00a0${slow}\u00a0ms`,
    [status.latency_p50_ms, status.latency_p99_ms]);
  figure("faces", String(status.faces), "", [status.faces]);
}

function build() {
  const words = {
    fps: ([seen, made]) => `${seen} seen, ${made} made`,
    latency: ([p50, p99]) => `median ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms`,
    faces: ([faces]) => `${faces}`,
  };
  const least = { fps: 30, latency: 50, faces: 2 };
  for (const name of Object.keys(words)) {
    const tile = document.querySelector(`[data-figure=${name}]`);
    charts[name] = new Chart(tile, { length: SAMPLES, least: least[name], words: words[name], steps: name === "faces" });
  }
  buildLevels(element("level"));
  buildMethods(element("methods"), (method) => change({ method })).then(showWish, (error) => tell(error.message));
  buildIdentity(element("identity"), {
    title: "Who you become",
    current: () => wanted.identity,
    chosen: (identity) => change({ identity }),
    failed: (error) => tell(error.message),
  });
  showWish();
  element("start").addEventListener("click", start);
  element("stop").addEventListener("click", () => stop());
  window.addEventListener("pagehide", () => stop());
  video.requestVideoFrameCallback(count);
  const refusal = whyNoCamera();
  element("start").disabled = Boolean(refusal);
  tell(refusal);
}

build();
