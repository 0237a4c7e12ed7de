// A line with its expected band, as SVG of our own: event time on the axis, gaps stay gaps.
import { svg, time, day, w } from "/static/common.js";

const RIGHT = 8, TOP = 10;
const STEPS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

function nice(top) {
  const power = 10 ** Math.floor(Math.log10(top));
  for (const m of [1, 1.5, 2, 3, 4, 5, 6, 8, 10]) if (top <= m * power) return m * power;
  return 10 * power;
}

function segments(t, values, gap, point) {
  let path = "", last = null;
  values.forEach((v, i) => {
    if (v === null) return; // unknown, e.g. the share of a minute without mentions: bridged up to the gap
    path += (last !== null && t[i] - last <= gap ? "L" : "M") + point(t[i], v);
    last = t[i];
  });
  return path;
}

export class Chart {
  constructor(parent, { format, ceiling = null, height = 170 }) {
    Object.assign(this, { parent, format, ceiling, height, data: null, hover: null });
    this.svg = svg("svg", { role: "img", height });
    parent.append(this.svg);
    new ResizeObserver(() => this.draw()).observe(parent);
    this.svg.addEventListener("pointermove", (e) => { this.hover = e.offsetX; this.draw(); });
    this.svg.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
  }

  set(t, series, { step, minutes, level, bridge = 0 }) {
    this.data = { t, ...series, step, gap: Math.max(step * 2.5, bridge), minutes, level };
    this.draw();
  }

  draw() {
    const d = this.data, width = this.parent.clientWidth, height = this.parent.clientHeight || this.height;
    if (!d || width < 60) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    if (!d.t.length) { this.svg.replaceChildren(svg("text", { x: width / 2, y: height / 2, class: "empty" }, w("no closed minute yet"))); return; }
    // Room for the ticks grows with their letters (the wall has larger ones).
    const letter = this.letter || (this.letter = parseFloat(getComputedStyle(this.svg).getPropertyValue("--tick")) || 11);
    const LEFT = letter * 3.6, BOTTOM = letter * 2;
    const end = d.t[d.t.length - 1] + 60, begin = Math.min(d.t[0], end - 60 * Math.min(d.minutes, 60));
    const start = Math.max(begin, end - d.minutes * 60);
    let most = 0;
    for (const values of [d.observed, d.upper]) for (const v of values) if (v !== null && v > most) most = v;
    const top = this.ceiling ? Math.min(this.ceiling, nice(Math.max(0.05, most))) : nice(Math.max(1, most));
    const x = (s) => LEFT + ((s - start) / (end - start)) * (width - LEFT - RIGHT);
    const y = (v) => height - BOTTOM - (Math.min(v, top) / top) * (height - TOP - BOTTOM);
    const point = (s, v) => `${x(s).toFixed(1)},${y(v).toFixed(1)}`;
    const parts = [];

    for (const share of [0, 0.5, 1]) {
      const v = top * share;
      parts.push(svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v), class: share ? "grid" : "axis" }));
      parts.push(svg("text", { x: LEFT - 6, y: y(v) + letter / 3, class: "tick y" }, this.format(v)));
    }
    const step = STEPS.find((s) => (end - start) / s <= width / (letter * 8)) || 86400;
    for (let s = Math.ceil(start / step) * step; s < end; s += step) {
      if (x(s) < LEFT + letter || x(s) > width - letter * 1.7) continue;
      parts.push(svg("text", { x: x(s), y: height - letter / 2, class: "tick x" }, step >= 86400 ? day(s) : time(s)));
    }

    // Expected..upper as one band per unbroken stretch.
    let run = [];
    const band = () => {
      if (run.length > 1) {
        const up = run.map((i) => point(d.t[i], d.upper[i])).join("L");
        const down = run.slice().reverse().map((i) => point(d.t[i], d.expected[i])).join("L");
        parts.push(svg("path", { d: `M${up}L${down}Z`, class: "band" }));
      }
      run = [];
    };
    d.t.forEach((s, i) => {
      if (d.expected[i] === null || d.upper[i] === null) return;
      if (run.length && s - d.t[run[run.length - 1]] > d.gap) band();
      run.push(i);
    });
    band();
    parts.push(svg("path", { d: segments(d.t, d.expected, d.gap, point), class: "expected" }));
    parts.push(svg("path", { d: segments(d.t, d.observed, d.gap, point), class: "observed" }));
    const over = d.t.map((s, i) => i).filter((i) => d.upper[i] !== null && d.observed[i] > d.upper[i]);
    if (over.length) parts.push(svg("path", { d: over.map((i) => `M${x(d.t[i]).toFixed(1)},${y(d.upper[i]).toFixed(1)}V${y(d.observed[i]).toFixed(1)}`).join(""), class: "over", "stroke-width": Math.max(1.5, Math.min(6, (width - LEFT) / d.t.length)) }));

    // Severity as a strip under the axis.
    d.level.forEach((level, i) => {
      if (!level) return;
      const next = Math.min(d.t[i + 1] || Infinity, d.t[i] + d.step);
      parts.push(svg("rect", { x: x(d.t[i]), y: height - BOTTOM + 1, width: Math.max(1, x(next) - x(d.t[i]) + 0.4), height: 3, class: `strip l${level}` }));
    });

    if (this.hover !== null) {
      const s = start + ((this.hover - LEFT) / (width - LEFT - RIGHT)) * (end - start);
      let best = 0;
      d.t.forEach((t, i) => { if (Math.abs(t - s) < Math.abs(d.t[best] - s)) best = i; });
      const cx = x(d.t[best]);
      parts.push(svg("line", { x1: cx, x2: cx, y1: TOP, y2: height - BOTTOM, class: "cross" }));
      const said = [time(d.t[best]), d.observed[best] === null ? "–" : this.format(d.observed[best]),
        d.upper[best] === null ? "" : `(${this.format(d.expected[best])} … ${this.format(d.upper[best])})`].join("  ");
      const right = cx > width / 2;
      parts.push(svg("text", { x: right ? cx - 6 : cx + 6, y: TOP + 8, class: `said ${right ? "end" : ""}` }, said));
    }
    this.svg.replaceChildren(...parts);
  }
}
