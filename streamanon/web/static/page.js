// The page of all streams: asks once a second how they stand, and keeps the cards up to date.

import { get, streamPath } from "./http.js";
import { StreamCard } from "./stream.js";

const POLL_MS = 1000;
const HIDDEN_POLL_MS = 10000; // for the title, which says how many streams are live
const GAP_MS = 5000;
const MOST_MOVING = 2; // a browser opens six connections to a server, two windows may be open

const cards = new Map();
const visible = new Set();
const list = document.getElementById("streams");
const health = document.getElementById("health");
const trouble = document.getElementById("trouble");
let connected = true;
let answered = Date.now();
let timer = null;

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) visible.add(target.dataset.name);
    else visible.delete(target.dataset.name);
  }
  showPreviews();
});

function showPreviews() {
  let moving = 0;
  for (const [name, card] of cards) {
    const seen = connected && !document.hidden && visible.has(name);
    card.show(seen && moving++ < MOST_MOVING ? "moving" : seen ? "still" : "nothing");
  }
}

async function cardOf(name) {
  if (!cards.has(name)) {
    const { samples } = await get(`${streamPath(name)}/history`);
    const card = new StreamCard(name, samples);
    cards.set(name, card);
    list.append(card.element);
    watcher.observe(card.element);
  }
  return cards.get(name);
}

function showHealth(streams) {
  const live = streams.filter((stream) => stream.state === "live").length;
  const all = streams.length;
  health.textContent = live === all ? (all === 1 ? "Live" : `All ${all} live`) : `${live} of ${all} live`;
  health.dataset.state = live === all ? "live" : "lost";
  document.title = live === all ? "streamanon" : `${live} of ${all} live · streamanon`;
}

function setConnected(answer, text = "") {
  trouble.hidden = answer;
  trouble.textContent = text;
  list.classList.toggle("stale", !answer);
  if (answer === connected) return;
  connected = answer;
  if (!answer) {
    health.textContent = "No connection";
    health.dataset.state = "stopped";
    document.title = "No connection · streamanon";
    for (const card of cards.values()) card.disconnect();
  }
  showPreviews();
}

// Charts have a sample a second: after a gap they start again from what the server remembers.
async function fillGaps() {
  if (Date.now() - answered < GAP_MS) return;
  for (const [name, card] of cards) card.samples = (await get(`${streamPath(name)}/history`)).samples;
}

async function poll() {
  clearTimeout(timer);
  timer = null;
  try {
    await fillGaps();
    const { streams } = await get("api/streams");
    answered = Date.now();
    for (const status of streams) (await cardOf(status.name)).update(status);
    setConnected(true);
    showHealth(streams);
  } catch (error) {
    setConnected(false, `${error.message}: what you see below is old. Trying again.`);
  }
  timer = setTimeout(poll, document.hidden ? HIDDEN_POLL_MS : POLL_MS);
}

document.addEventListener("visibilitychange", () => {
  showPreviews();
  if (timer !== null && !document.hidden) poll();
});
poll();
