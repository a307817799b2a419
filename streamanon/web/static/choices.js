// Choosing how faces are hidden: a row of methods, and a dialog with the portraits of the gallery.

import { get, portraitPath } from "./http.js";

const TITLES = {
  anonygan: ["AnonyGAN", "A photograph of another person moves with the face, lit and completed by a network"],
  warp: ["Warp", "Such a photograph without the network: takes less time"],
  mosaic: ["Mosaic", "Flat squares"],
  blur: ["Blur", "A smooth field"],
  solid: ["Solid", "Black"],
};

const EACH = "Each their own";

export const titleOf = (method) => TITLES[method]?.[0] ?? method;

const HAS_IDENTITY = new Set(["warp", "anonygan"]);

// The names are the same for everybody on the page: asked for once.
const once = (path, key) => {
  let found = null;
  return () => (found ??= get(path).then((body) => body[key]).catch((error) => {
    found = null;
    throw error;
  }));
};
const methods = once("api/methods", "methods");
const identities = once("api/identities", "identities");

const PAUSE_MS = 300;

// Sends settings one after the other, and of those that come quickly (arrow keys) only the last.
export class Sender {
  constructor(send) {
    this.send = send;
    this.wanted = null;
    this.sending = false;
  }

  get busy() {
    return this.sending || this.wanted !== null;
  }

  push(settings) {
    this.wanted = { ...this.wanted, ...settings };
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), PAUSE_MS);
  }

  async flush() {
    if (this.sending || this.wanted === null) return;
    this.sending = true;
    const settings = this.wanted;
    this.wanted = null;
    await this.send(settings);
    this.sending = false;
    await this.flush();
  }
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

let groups = 0;

export async function buildMethods(fieldset, chosen) {
  const name = `method-${groups++}`;
  for (const method of await methods()) {
    const [title, text] = TITLES[method] ?? [method, ""];
    const input = make("input", { type: "radio", name, value: method });
    fieldset.append(make("label", { title: text }, input, make("span", { textContent: title })));
    input.addEventListener("change", () => chosen(method));
  }
}

export function showMethod(fieldset, method) {
  for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === method;
}

function nameOf(identity) {
  return identity === null ? EACH : identity.charAt(0).toUpperCase() + identity.slice(1);
}

// Fills a box with the button that opens the dialog.
// options: title (of the dialog), current (returns the identity), chosen and failed (callbacks).
export function buildIdentity(box, { title, current, chosen, failed }) {
  const picture = make("img", { alt: "", width: 40, height: 40, hidden: true });
  const everyone = make("span", { className: "everyone sign" });
  const change = make("span", { className: "change", textContent: "Change" });
  change.setAttribute("aria-hidden", "true");
  const who = make("span", { className: "who" });
  const button = make("button", { type: "button", className: "pick" }, picture, everyone, who, change);
  button.setAttribute("aria-haspopup", "dialog");
  button.addEventListener("click", async () => {
    try {
      const identity = await pickIdentity(title, current());
      if (identity !== undefined) chosen(identity);
    } catch (error) {
      failed(error);
    }
  });
  box.append(make("h3", { textContent: "Identity" }), button);
}

// method: those without identities show the box as unused.
export function showIdentity(box, identity, method) {
  box.classList.toggle("unused", !HAS_IDENTITY.has(method));
  const picture = box.querySelector("img");
  const wanted = identity === null ? "" : portraitPath(identity);
  if (picture.getAttribute("src") !== wanted) {
    if (wanted) picture.setAttribute("src", wanted);
    else picture.removeAttribute("src");
  }
  picture.hidden = identity === null;
  box.querySelector(".everyone").hidden = identity !== null;
  box.querySelector(".who").textContent = nameOf(identity);
}

function choice(identity, current) {
  const face = identity === null
    ? make("span", { className: "sign" })
    : make("img", { alt: "", loading: "lazy", src: portraitPath(identity) });
  const name = make("span", { textContent: nameOf(identity) });
  const button = make("button", { type: "button", className: "face" }, face, name);
  button.setAttribute("aria-pressed", String(identity === current));
  return button;
}

// Opens a dialog; resolves to a name, to null for one for each person, or to undefined.
async function pickIdentity(title, current) {
  const names = await identities();
  const close = make("button", { className: "close", textContent: "×" });
  close.setAttribute("aria-label", "Close");
  const heading = make("h2", { id: "picker-title", textContent: title });
  const head = make("form", { method: "dialog" }, heading, close);
  const grid = make("div", { className: "faces" });
  const dialog = make("dialog", {}, head, grid);
  dialog.setAttribute("aria-labelledby", "picker-title");
  document.body.append(dialog);
  return new Promise((resolve) => {
    let picked;
    for (const identity of [null, ...names]) {
      const button = choice(identity, current);
      button.addEventListener("click", () => {
        picked = identity;
        dialog.close();
      });
      grid.append(button);
    }
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(picked);
    });
    dialog.showModal();
    grid.querySelector('[aria-pressed="true"]')?.focus();
  });
}
