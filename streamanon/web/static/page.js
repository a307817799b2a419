// The page of all streams: asks once a second how they stand, and keeps the cards up to date.

import { get, streamPath } from "./http.js";
import { StreamCard } from "./stream.js";

const POLL_MS = 1000;
const MOST_MOVING = 2; // a browser opens six connections to a server, two windows may be open

const cards = new Map();
const visible = new Set();
const list = document.getElementById("streams");
const health = document.getElementById("health");
const trouble = document.getElementById("trouble");
let connected = true;

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
  }
  showPreviews();
}

async function poll() {
  try {
    const { streams } = await get("api/streams");
    for (const status of streams) (await cardOf(status.name)).update(status);
    setConnected(true);
    showHealth(streams);
  } catch (error) {
    setConnected(false, `${error.message}: what you see below is old. Trying again.`);
  }
  setTimeout(poll, POLL_MS);
}

document.addEventListener("visibilitychange", showPreviews);
poll();
