// Choosing how faces are hidden: a row of methods, and a dialog with the portraits of the gallery.

import { get, portraitPath } from "./http.js";

const TITLES = {
  warp: ["Warp", "A photograph of another person moves with the face"],
  anonygan: ["AnonyGAN", "A network lights and completes that photograph"],
  mosaic: ["Mosaic", "Flat squares"],
  blur: ["Blur", "A smooth field"],
  solid: ["Solid", "Black"],
};

const EACH = "Each their own";

export const HAS_IDENTITY = new Set(["warp", "anonygan"]);

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

let groups = 0;

export async function buildMethods(fieldset, chosen) {
  const name = `method-${groups++}`;
  for (const method of await methods()) {
    const [title, text] = TITLES[method] ?? [method, ""];
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value: method });
    const caption = Object.assign(document.createElement("span"), { textContent: title });
    const label = Object.assign(document.createElement("label"), { title: text });
    label.append(input, caption);
    fieldset.append(label);
    input.addEventListener("change", () => chosen(method));
  }
}

export function showMethod(fieldset, method) {
  for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === method;
}

function nameOf(identity) {
  return identity === null ? EACH : identity.charAt(0).toUpperCase() + identity.slice(1);
}

export function showIdentity(button, identity) {
  const picture = button.querySelector("img");
  const wanted = identity === null ? "" : portraitPath(identity);
  if (picture.getAttribute("src") !== wanted) {
    if (wanted) picture.setAttribute("src", wanted);
    else picture.removeAttribute("src");
  }
  picture.hidden = identity === null;
  button.querySelector(".everyone").hidden = identity !== null;
  button.querySelector(".who").textContent = nameOf(identity);
}

function choice(identity, current) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "face" });
  button.setAttribute("aria-pressed", String(identity === current));
  if (identity === null) {
    const sign = Object.assign(document.createElement("span"), { className: "sign" });
    button.append(sign);
  } else {
    const picture = Object.assign(document.createElement("img"), { alt: "", loading: "lazy" });
    picture.src = portraitPath(identity);
    button.append(picture);
  }
  const label = document.createElement("span");
  label.textContent = nameOf(identity);
  button.append(label);
  return button;
}

// Opens the dialog; resolves to a name, to null for one for each person, or to undefined.
export async function pickIdentity(current) {
  const dialog = document.getElementById("picker");
  const names = await identities();
  const grid = dialog.querySelector(".faces");
  grid.replaceChildren();
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
    dialog.addEventListener("close", () => resolve(picked), { once: true });
    dialog.showModal();
    grid.querySelector('[aria-pressed="true"]')?.focus();
  });
}
