// A small chart of the last minutes: one filled line, and a thin one where two figures belong
// together. The figure itself stands beside it as text; the chart is decoration to a screen reader.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 180;
const HEIGHT = 40;

function shape(name, parent, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

export class Chart {
  // options: length (samples), least (smallest top of the scale), steps (true: no slopes),
  // words (a function from the values of one sample to what the tip says).
  constructor(parent, { length, least, steps = false, words }) {
    this.length = length;
    this.least = least;
    this.steps = steps;
    this.words = words;
    this.samples = [];
    this.box = document.createElement("div");
    this.box.className = "chart";
    this.box.setAttribute("aria-hidden", "true");
    const view = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
    this.svg = shape("svg", this.box, view);
    this.area = shape("polygon", this.svg, { class: "area" });
    this.second = shape("polyline", this.svg, { class: "second" });
    this.first = shape("polyline", this.svg, { class: "first" });
    this.mark = shape("line", this.svg, { class: "mark", y1: 0, y2: HEIGHT, hidden: "" });
    this.tip = document.createElement("span");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.top = document.createElement("span");
    this.top.className = "top";
    this.box.append(this.tip, this.top);
    parent.append(this.box);
    this.box.addEventListener("pointermove", (event) => this.point(event));
    this.box.addEventListener("pointerleave", () => this.point(null));
  }

  // samples: oldest first, each [first] or [first, second]; one a second.
  draw(samples) {
    this.samples = samples.slice(-this.length);
    this.peak = Math.max(this.least, ...this.samples.flat()) * 1.1;
    const first = this.points(0);
    this.first.setAttribute("points", first.join(" "));
    this.second.setAttribute("points", this.points(1).join(" "));
    const [start] = first;
    const closed = start
      ? [...first, `${WIDTH},${HEIGHT}`, `${start.split(",")[0]},${HEIGHT}`]
      : [];
    this.area.setAttribute("points", closed.join(" "));
    const top = Math.max(this.least, ...this.samples.flat());
    this.top.textContent = Math.round(top);
  }

  x(index) {
    const missing = this.length - this.samples.length;
    return ((index + missing) / (this.length - 1)) * WIDTH;
  }

  points(which) {
    const result = [];
    let before = null;
    this.samples.forEach((sample, index) => {
      if (sample.length <= which) return;
      const y = HEIGHT - (sample[which] / this.peak) * (HEIGHT - 2) - 1;
      if (this.steps && before !== null) result.push(`${this.x(index)},${before}`);
      result.push(`${this.x(index)},${y}`);
      before = y;
    });
    return result;
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const missing = this.length - this.samples.length;
    const at = event ? Math.round(((event.clientX - box.left) / box.width) * (this.length - 1)) : -1;
    const sample = this.samples[at - missing];
    this.tip.hidden = !sample;
    this.mark.toggleAttribute("hidden", !sample);
    if (!sample) return;
    const x = (at / (this.length - 1)) * WIDTH;
    this.mark.setAttribute("x1", x);
    this.mark.setAttribute("x2", x);
    const ago = this.length - 1 - at;
    this.tip.textContent = `${ago ? `${ago} s ago` : "now"}: ${this.words(sample)}`;
    this.tip.classList.toggle("left", at > this.length / 2);
  }
}
