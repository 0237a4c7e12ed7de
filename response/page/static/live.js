// The live page: chosen brand, charts, signals, incidents, mentions as they come.
import { amounts, author, config, count, duration, follow, h, keyed, levelMark, longDay, moment, number, seconds, share, signalName, spark, staleText, text, time, topicName, w } from "/static/common.js";
import { Chart } from "/static/chart.js";

const $ = (id) => document.getElementById(id);
const url = new URL(location.href);
const chosen = { brand: url.searchParams.get("brand"), run: url.searchParams.get("run"), minutes: Number(url.searchParams.get("minutes")) || 360, sentiment: "" };
const volume = new Chart($("volume"), { format: number });
const shares = new Chart($("share"), { format: share, ceiling: 1 });
const BRIDGE_S = 3600; // the line of the negative share goes on over quiet minutes up to an hour
let state = null;

function query() {
  const q = { minutes: chosen.minutes };
  if (chosen.brand) q.brand = chosen.brand;
  if (chosen.run) q.run = chosen.run;
  return q;
}
function remember() {
  const q = new URLSearchParams(query());
  history.replaceState(null, "", `?${q}`);
  reopen();
}

function show(next) {
  state = next;
  const stale = staleText(state);
  $("notice").hidden = !stale;
  text("notice", stale);
  document.body.classList.toggle("stale", state.stale_s !== null);
  if (state.run === null) { text("state", w("waiting")); return; }
  text("state", state.stale_s !== null ? w("stale") : state.ended ? w("replay ended") : w("live"));
  $("state").className = `state ${state.stale_s !== null ? "bad" : state.ended ? "" : "good"}`;
  text("clock", seconds(state.clock));
  text("clock-date", longDay(state.clock));
  runs();
  brands();
  sources();
  incidentCard();
  if (state.brand) focus(state.brand);
  incidents();
  mentions();
}

function runs() {
  const several = state.runs.length > 1 || state.run !== "live";
  $("run-label").hidden = !several;
  keyed($("run"), state.runs, (r) => r, (r) => h("option", { value: r }, r));
  if ($("run").value !== state.run) $("run").value = state.run;
}

function brands() {
  keyed($("brands"), state.brands, (b) => b.name,
    (b) => h("button", { type: "button", class: "brand", onclick: () => { chosen.brand = b.name; remember(); } }),
    (node, b) => {
      const seen = JSON.stringify([b, state.brand && state.brand.name === b.name]);
      if (node.seen === seen) return;
      node.seen = seen;
      node.className = `brand l${b.level}`;
      node.setAttribute("aria-pressed", String(state.brand && state.brand.name === b.name));
      node.replaceChildren(
        h("span", { class: "brand-name" }, h("bdi", {}, b.title)), levelMark(b.level), spark(b.spark),
        h("span", { class: "brand-numbers" },
          h("span", { title: w("mentions in the last hour") }, h("b", {}, count(b.mentions)), ` ${w("/h")}`),
          b.expected ? h("span", { class: "dim" }, w("usual {n}", { n: count(b.expected) })) : h("span", { class: "dim" }, w("warming up")),
          h("span", { title: w("negative share in the last hour") }, h("b", {}, share(b.share)), ` ${w("neg.")}`)));
    });
  text("stream-brand", state.brand ? `· ${state.brand.title}` : "");
}

function sources() {
  keyed($("sources"), state.sources, (s) => s.name, () => h("div", {}), (node, s) => {
    const good = s.healthy && !s.ended;
    node.className = `source ${s.ended ? "ended" : good ? "good" : "bad"}`;
    const said = s.ended ? w("ended") : s.healthy ? w("{lag} behind", { lag: duration(s.lag_s) }) : w("no answer");
    const key = s.name + said;
    if (node.seen !== key) { node.seen = key; node.replaceChildren(h("i", { class: "dot" }), h("span", {}, s.name), h("span", { class: "dim" }, said)); }
  });
}

function focus(b) {
  text("brand", b.title);
  const options = { step: b.step, minutes: b.minutes, level: b.level };
  volume.set(b.t, b.volume, options);
  shares.set(b.t, b.share, { ...options, bridge: BRIDGE_S });
  const told = (series, format) => {
    const last = series.observed.findLastIndex((v) => v !== null);
    return last < 0 ? "" : format(series.observed[last]) + (series.upper[last] === null ? ` · ${w("warming up")}` : ` · ${w("limit {n}", { n: format(series.upper[last]) })}`);
  };
  text("volume-now", told(b.volume, number));
  text("share-now", told(b.share, share));
  for (const button of document.querySelectorAll("[data-minutes]")) button.setAttribute("aria-pressed", String(Number(button.dataset.minutes) === b.minutes));
  keyed($("signals"), b.readings, (r) => r.signal,
    (r) => h("tr", {}, h("th", { scope: "row" }, signalName(r.signal)), h("td", { class: "n" }), h("td", { class: "n" }), h("td", { class: "n" }), h("td", {})),
    (row, r) => {
      const cells = row.children;
      amounts(r.signal, [r.observed, r.expected, r.upper]).forEach((said, at) => text(cells[at + 1], said));
      const meter = r.score === null ? h("span", { class: "dim" }, w("warming up"))
        : h("span", { class: "score", title: w("score 3: once in a thousand minutes") }, h("meter", { min: 0, max: 10, high: 3, low: 2, optimum: 0, value: Math.min(10, r.score) }), number(r.score));
      if (row.seen !== r.score) { row.seen = r.score; cells[4].replaceChildren(meter); }
      row.className = r.score !== null && r.score >= 3 ? "hot" : "";
    });
}

const address = (i) => `/incident/${i.id.split("/").map(encodeURIComponent).join("/")}`;

function incidentCard() {
  const b = state.brand;
  const i = b && state.incidents.find((x) => x.brand === b.name);
  $("incident").hidden = !i;
  if (!i) return;
  const seen = JSON.stringify([i, Math.floor(state.clock / 60)]);
  if ($("incident").seen === seen) return;
  $("incident").seen = seen;
  $("incident").className = `incident-card l${i.level}`;
  const [observed, expected, upper] = amounts(i.signal, [i.observed, i.expected, i.upper]);
  const driver = (title, parts, name = (x) => x) => parts.length ? h("div", {}, h("dt", {}, title), h("dd", {}, parts.map(([p, s]) => h("span", { class: "driver" }, h("bdi", {}, name(p)), ` ${share(s)}`)))) : null;
  $("incident").replaceChildren(
    h("div", { class: "incident-top" }, levelMark(i.level, "big"),
      h("span", {}, w("since {time} ({age})", { time: time(i.onset), age: duration(state.clock - i.onset) })),
      i.simulated ? h("span", { class: "tag sim" }, w("simulated")) : null,
      h("span", { class: "spring" }),
      i.acknowledged_by ? h("span", { class: "ack" }, w("{who} is on it", { who: i.acknowledged_by })) : h("a", { class: "button", href: address(i) }, w("Acknowledge"))),
    h("p", { class: "sentence" }, i.sentence),
    h("dl", { class: "drivers" },
      h("div", {}, h("dt", {}, signalName(i.signal)), h("dd", {}, h("b", {}, observed), " ", w("expected {e}, limit {u}", { e: expected, u: upper }))),
      driver(w("Topics"), i.drivers.topics, topicName), driver(w("Channels"), i.drivers.channels),
      driver(w("Phrases"), i.drivers.phrases), driver(w("Authors"), i.drivers.authors)),
    h("details", {}, h("summary", {}, w("Evidence: {n} sample mentions", { n: i.samples.length })),
      h("ol", { class: "mentions" }, i.samples.map((m) => mention(m)))),
    h("a", { class: "more", href: address(i) }, w("Whole incident, notes and actions")));
}

function incidents() {
  const all = [...state.incidents, ...state.recent];
  if (!all.length) { $("incidents").replaceChildren(h("p", { class: "dim" }, w("None. Quiet is the normal state."))); return; }
  if ($("incidents").firstElementChild && !$("incidents").firstElementChild.dataset.key) $("incidents").replaceChildren();
  keyed($("incidents"), all, (i) => i.id, (i) => h("a", { class: "incident-row", href: address(i) }), (node, i) => {
    const seen = JSON.stringify([i.level, i.peak, i.closed, i.change, i.acknowledged_by, i.sentence]);
    if (node.seen === seen) return;
    node.seen = seen;
    const open = i.closed === null;
    node.className = `incident-row ${open ? "open" : "closed"}`;
    node.replaceChildren(levelMark(open ? i.level : i.peak), h("b", {}, h("bdi", {}, i.title)), h("span", { class: "dim" }, moment(i.onset)),
      h("span", { class: "dim" }, i.change === "false_alarm" ? w("false alarm") : open ? (i.acknowledged_by ? w("{who} is on it", { who: i.acknowledged_by }) : w("not acknowledged")) : w("over after {age}", { age: duration(i.closed - i.onset) })));
  });
}

function mention(m) {
  return h("li", { class: `mention ${m.sentiment}` },
    h("div", { class: "mention-top" }, h("span", { class: `tag ${m.sentiment}` }, w(m.sentiment)), author(m),
      h("span", { class: "dim" }, m.source), h("time", { class: "dim", title: moment(m.at) }, time(m.at)),
      m.simulated ? h("span", { class: "tag sim" }, w("simulated")) : null, m.own ? h("span", { class: "tag" }, w("our reply")) : null,
      m.late ? h("span", { class: "tag" }, w("late")) : null, m.edited ? h("span", { class: "tag" }, w("edited")) : null),
    h("p", { dir: "auto" }, m.text),
    m.topics.length || m.url ? h("div", { class: "mention-foot" }, m.topics.map((t) => h("span", { class: "topic" }, topicName(t))),
      m.url ? h("a", { href: m.url, target: "_blank", rel: "noopener noreferrer nofollow" }, w("original")) : null) : null);
}

function mentions() {
  const all = (state.mentions || []).filter((m) => !chosen.sentiment || m.sentiment === chosen.sentiment);
  keyed($("mentions"), all, (m) => `${m.brand} ${m.id} ${m.edited}`, mention);
}

for (const button of document.querySelectorAll("[data-minutes]")) button.addEventListener("click", () => { chosen.minutes = Number(button.dataset.minutes); remember(); });
for (const button of document.querySelectorAll("[data-sentiment]")) button.addEventListener("click", () => {
  chosen.sentiment = button.dataset.sentiment;
  for (const b of document.querySelectorAll("[data-sentiment]")) b.setAttribute("aria-pressed", String(b === button));
  if (state) mentions();
});
$("run").addEventListener("change", () => { chosen.run = $("run").value; chosen.brand = null; remember(); });
text("zone", w("times in {zone}", { zone: config.zone }));

let reopen = () => {};
reopen = follow(query, show, (silent) => {
  document.body.classList.toggle("lost", silent !== null);
  if (silent === null) return;
  $("notice").hidden = false;
  text("notice", w("CONNECTION LOST for {age}: what you see is old. Trying again by itself.", { age: duration(silent) }));
  text("state", w("lost"));
  $("state").className = "state bad";
});
