// The quality that the machine can afford, and what was done to faces: the same on both pages.

import { titleOf } from "./choices.js";

const LEVELS = {
  full: ["Full", "Nothing is stepped down", ""],
  sparing: ["Sparing", "The network is asked less often", "the network is asked less often"],
  warp: ["Warp", "Faces are replaced without the network", "faces are replaced without the network"],
  mosaic: ["Mosaic", "Faces are hidden by a mosaic", "faces are hidden by a mosaic for now"],
};
const WITHOUT_METHOD = { covered: "covered", "whole-frame": "frame covered" };
const number = new Intl.NumberFormat("en-GB");

export function buildLevels(box) {
  const heading = document.createElement("h3");
  heading.textContent = "Quality the machine can afford";
  const list = document.createElement("ol");
  for (const [level, [name, text]] of Object.entries(LEVELS)) {
    const step = Object.assign(document.createElement("li"), { textContent: name, title: text });
    step.dataset.level = level;
    list.append(step);
  }
  const why = Object.assign(document.createElement("p"), { className: "why" });
  why.setAttribute("role", "status");
  box.append(heading, list, why);
}

function whyReduced({ level, max_fps: most }) {
  const reasons = [LEVELS[level]?.[2], most ? `${most} frames a second at most` : ""].filter(Boolean);
  return reasons.length ? `Busy: ${reasons.join(", ")}.` : "";
}

export function showLevel(box, status) {
  for (const step of box.querySelectorAll("li")) {
    if (step.dataset.level === status.level) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
  const why = whyReduced(status);
  box.classList.toggle("reduced", Boolean(why));
  const shown = box.querySelector(".why");
  if (shown.textContent !== why) shown.textContent = why;
}

// counts: faces by the method that hid them, as in a status.
export function showMethods(box, counts) {
  const kinds = Object.entries(counts);
  const total = kinds.reduce((sum, [, count]) => sum + count, 0);
  const bars = kinds.map(([kind, count]) => {
    const bar = document.createElement("i");
    bar.dataset.kind = kind;
    bar.style.width = `${(100 * count) / total}%`;
    return bar;
  });
  box.querySelector(".share").replaceChildren(...bars);
  const items = kinds.map(([kind, count]) => {
    const name = WITHOUT_METHOD[kind] ?? titleOf(kind);
    return Object.assign(document.createElement("li"), { textContent: `${number.format(count)} ${name}` });
  });
  const list = box.querySelector("ul");
  list.classList.toggle("none", !items.length);
  if (!items.length) items.push(Object.assign(document.createElement("li"), { textContent: "none" }));
  list.replaceChildren(...items);
}
