// Shared by the live page and the wall: words, numbers, elements, the event stream.
// Text from the public only ever becomes a text node: nothing here parses HTML.

export const config = JSON.parse(document.getElementById("config").textContent);
const locale = config.language === "id" ? "id-ID" : "en-GB";

export function w(text, values = {}) {
  const said = config.words[text] || text;
  return said.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

export const LEVELS = ["Normal", "Watch", "Alert", "Crisis"];
export const levelName = (level) => w(LEVELS[level] || LEVELS[0]);

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const hundredth = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return (size >= 20 ? whole : size >= 2 ? tenth : hundredth).format(value);
}
export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const share = (value) => (value === null || value === undefined ? "–" : percent.format(value));
export const isShare = (signal) => /share|ratio|fraction/.test(signal || "");

const rare = (v) => v > 0 && v < 0.05;
const plain = (v) => (rare(v) ? w("fewer than 1") : (v >= 9.95 ? whole : tenth).format(v));
// As response/amount.py: the first value gets the unit, the others are told in the same.
export function amounts(signal, values) {
  if (isShare(signal)) return values.map(share);
  const [first] = values;
  const people = signal === "velocity";
  const rate = !people && signal !== "authors";
  const hourly = rate && first !== null && first < 1;
  const unit = people ? "{n} people" : hourly ? "{n} an hour" : "{n} a minute";
  return values.map((v, i) => {
    if (v === null || v === undefined) return "–";
    if (rate && !hourly && rare(v)) return w("{n} an hour", { n: plain(60 * v) });
    const said = plain(hourly ? 60 * v : v);
    return i === 0 ? w(unit, { n: said }) : said;
  });
}

const zone = config.zone;
const timeFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const secondFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, weekday: "short", day: "numeric", month: "short" });
const longDayFormat = new Intl.DateTimeFormat(locale, { timeZone: zone, weekday: "long", day: "numeric", month: "long", year: "numeric" });
const at = (seconds) => new Date(seconds * 1000);
export const time = (s) => timeFormat.format(at(s)).replace(".", ":");
export const seconds = (s) => secondFormat.format(at(s)).replace(/\./g, ":");
export const day = (s) => dayFormat.format(at(s));
export const longDay = (s) => longDayFormat.format(at(s));
export const moment = (s) => `${day(s)} ${time(s)}`;

export function duration(s) {
  if (s === null || s === undefined) return "–";
  const minutes = Math.floor(s / 60);
  if (s < 90) return w("{n} s", { n: Math.max(0, Math.round(s)) });
  if (minutes < 100) return w("{n} min", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return w("{h} h {m} min", { h: hours, m: minutes % 60 });
  return w("{n} days", { n: Math.floor(hours / 24) });
}

// The bank's signals; an unknown one is shown by its own name.
const SIGNALS = {
  volume: "Volume", negative: "Negative mentions", negative_share: "Negative share", reach: "Reach",
  authors: "Distinct authors", velocity: "Fastest post", slow_burn: "Slow burn", security: "Data security",
};
export function signalName(signal) {
  const [base, detail] = String(signal || "").split(":");
  const name = SIGNALS[base] ? w(SIGNALS[base]) : base.replaceAll("_", " ");
  return detail ? `${name}: ${topicName(detail)}` : name;
}
export const topicName = (topic) => config.topics[topic] || topic.replaceAll("_", " ");

export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Severity as word, shape and colour: three bars, filled by level.
export function levelMark(level, extra = "") {
  const bars = [0, 1, 2].map((i) =>
    svg("rect", { x: 1 + i * 6, y: 11 - i * 4, width: 4, height: 5 + i * 4, rx: 1, class: i < level ? "on" : "off" }));
  return h("span", { class: `level l${level} ${extra}` }, svg("svg", { viewBox: "0 0 18 17", "aria-hidden": "true" }, ...bars), levelName(level));
}

export function spark(values, width = 120, height = 28) {
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (values.length < 2) return drawn;
  const top = Math.max(1, ...values);
  const x = (i) => (i / (values.length - 1)) * width;
  const y = (v) => height - 1 - (v / top) * (height - 3);
  const line = values.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join("L");
  drawn.append(svg("path", { d: `M0,${height}L${line}L${width},${height}Z`, class: "spark-area" }), svg("path", { d: `M${line}`, class: "spark-line" }));
  return drawn;
}

// Changes only what changed: scroll position, selection and focus stay.
export function keyed(parent, items, key, make, update) {
  const old = new Map([...parent.children].map((c) => [c.dataset.key, c]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const k = String(key(item));
    let node = old.get(k);
    if (node) old.delete(k);
    else { node = make(item); node.dataset.key = k; }
    if (update) update(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const gone of old.values()) gone.remove();
}

export function text(id, value) {
  const node = typeof id === "string" ? document.getElementById(id) : id;
  if (node.textContent !== value) node.textContent = value;
}

export function author(m) { return h("bdi", { class: "author" }, m.author || w("unknown author")); }

// One EventSource; a silent connection is said to be lost, and the browser reconnects by itself.
const LOST_AFTER_MS = 15000;
export function follow(query, show, lost) {
  let source; let heard = Date.now(); let newest = null; let asked = false;
  function open() {
    if (source) source.close();
    const parameters = new URLSearchParams(query());
    parameters.set("lang", config.language);
    source = new EventSource(`/events?${parameters}`);
    source.onmessage = (event) => {
      heard = Date.now();
      newest = event.data;
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => { asked = false; lost(null); show(JSON.parse(newest)); });
    };
  }
  setInterval(() => {
    const silent = Date.now() - heard;
    if (silent > LOST_AFTER_MS) lost(silent / 1000);
    if (silent > LOST_AFTER_MS && source.readyState === EventSource.CLOSED) { open(); }
  }, 1000);
  // The page brings its first state along: something to see before the stream is open.
  show(JSON.parse(document.getElementById("first").textContent));
  open();
  return open;
}

export function staleText(state) {
  if (state.run === null) return w("Waiting for the first data: start a source, or wait for its first minute to close.");
  if (state.stale_s !== null) return w("STALE: nothing heard from the stream for {age}. What you see is old; ask the SRE to look at the worker and the sources.", { age: duration(state.stale_s) });
  return "";
}
