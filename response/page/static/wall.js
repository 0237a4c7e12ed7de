// The wall: brands by severity, the one that matters largest. Read from five metres.
import { author, count, duration, follow, h, isShare, keyed, levelMark, levelName, longDay, number, seconds, share, signalName, spark, staleText, text, time, topicName, w } from "/static/common.js";
import { Chart } from "/static/chart.js";

const $ = (id) => document.getElementById(id);
let hero = null; // {brand, chart, parts} of the brand that is shown large

function show(state) {
  const stale = staleText(state);
  $("notice").hidden = !stale;
  text("notice", stale);
  document.body.classList.toggle("stale", state.stale_s !== null);
  if (state.run === null) { text("headline", w("waiting")); return; }
  text("clock", seconds(state.clock));
  const worst = state.brands.length ? state.brands[0] : null;
  const level = worst ? worst.level : 0;
  document.body.dataset.level = level;
  const counted = [3, 2, 1].map((l) => [l, state.brands.filter((b) => b.level === l).length]).filter(([, n]) => n);
  const said = !worst ? w("No brands yet") : level ? counted.map(([l, n]) => `${n} ${levelName(l)}`).join(" · ") : w("All quiet");
  text("headline", `${said}${state.run === "live" ? "" : ` · ${state.run}`}`);
  $("hero").hidden = !level;
  if (level) large(state, worst);
  else hero = null;
  tiles(state, level ? state.brands.slice(1) : state.brands, level);
  foot(state);
}

function large(state, b) {
  const incident = state.incidents.find((i) => i.brand === b.name) || null;
  if (!hero || hero.brand !== b.name) build(b);
  const p = hero.parts;
  $("hero").className = `hero l${b.level}`;
  p.level.replaceChildren(levelMark(b.level));
  text(p.name, b.title);
  text(p.sentence, incident ? incident.sentence : "");
  text(p.since, incident ? duration(state.clock - incident.onset) : "–");
  text(p.sinceLabel, incident ? w("since {time}", { time: time(incident.onset) }) : w("duration"));
  const owner = incident && incident.acknowledged_by;
  p.owner.className = owner ? "owned" : "unowned";
  text(p.owner, !incident ? "–" : owner ? `✓ ${owner}` : w("nobody yet"));
  text(p.ownerLabel, owner ? w("is on it") : incident ? w("unacknowledged for {age}", { age: duration(state.clock - incident.opened) }) : w("owner"));
  text(p.volume, count(b.mentions));
  text(p.volumeLabel, b.expected ? w("mentions/h · usual {n}", { n: count(b.expected) }) : w("mentions/h"));
  text(p.share, share(b.share));
  text(p.shareLabel, shareLimit(b, "negative"));
  text(p.waiting, count(b.waiting));
  text(p.waitingLabel, b.oldest ? w("unanswered · oldest {age}", { age: duration(state.clock - b.oldest) }) : w("unanswered"));
  if (state.brand && state.brand.name === b.name) {
    const d = state.brand;
    const onShare = incident && isShare(incident.signal);
    text(p.caption, onShare ? w("Negative share, {n} hours", { n: d.minutes / 60 }) : w("Mentions per minute, {n} hours", { n: d.minutes / 60 }));
    hero.chart.format = onShare ? share : number;
    hero.chart.ceiling = onShare ? 1 : null;
    hero.chart.set(d.t, onShare ? d.share : d.volume, { step: d.step, minutes: d.minutes, level: d.level, bridge: onShare ? 3600 : 0 });
  }
  const quotes = incident ? incident.samples.slice(0, 2) : [];
  keyed(p.quotes, quotes, (m) => m.id + m.text, (m) => h("blockquote", {}, h("p", { dir: "auto" }, m.text), h("cite", {}, author(m), ` · ${m.source}`, m.simulated ? h("span", { class: "tag sim" }, w("simulated")) : null)));
  const drivers = incident ? [...incident.drivers.topics.slice(0, 2).map(([n, s]) => `${topicName(n)} ${share(s)}`), ...incident.drivers.channels.slice(0, 2).map(([n, s]) => `${n} ${share(s)}`)] : [];
  keyed(p.drivers, drivers, (d) => d, (d) => h("span", { class: "driver" }, d));
}

function build(b) {
  const p = {};
  for (const name of ["level", "since", "sinceLabel", "owner", "ownerLabel", "volume", "volumeLabel", "share", "shareLabel", "waiting", "waitingLabel", "caption"]) p[name] = h("span");
  p.name = h("h1"); p.sentence = h("p", { class: "sentence" });
  p.quotes = h("div", { class: "quotes" }); p.drivers = h("div", { class: "driver-row" });
  const big = (value, label) => h("div", { class: "big" }, h("b", {}, value), h("small", {}, label));
  const chartBox = h("div", { class: "chart" });
  $("hero").replaceChildren(
    h("div", { class: "hero-top" }, p.name, p.level), p.sentence,
    h("div", { class: "bigs" }, big(p.volume, p.volumeLabel), big(p.share, p.shareLabel), big(p.waiting, p.waitingLabel), big(p.since, p.sinceLabel), big(p.owner, p.ownerLabel)),
    h("figure", {}, h("figcaption", {}, p.caption, p.drivers), chartBox), p.quotes);
  hero = { brand: b.name, parts: p, chart: new Chart(chartBox, { format: number, height: 260 }) };
}

function tiles(state, brands, level) {
  const most = level ? 6 : 12;
  const shown = brands.slice(0, most);
  $("tiles").className = level ? "beside" : `grid n${Math.min(shown.length, 12)}`;
  keyed($("tiles"), shown, (b) => b.name, () => h("article"), (node, b) => {
    const seen = JSON.stringify([b, level > 0]);
    if (node.seen === seen) return;
    node.seen = seen;
    node.className = `tile l${b.level}`;
    node.replaceChildren(
      h("div", { class: "tile-top" }, h("h2", {}, h("bdi", {}, b.title)), levelMark(b.level)),
      h("div", { class: "tile-numbers" },
        h("div", {}, h("b", {}, count(b.mentions)), h("small", {}, b.expected ? w("/h · usual {n}", { n: count(b.expected) }) : w("/h · warming up"))),
        h("div", {}, h("b", {}, share(b.share)), h("small", {}, shareLimit(b, "neg."))),
        h("div", {}, h("b", {}, count(b.waiting)), h("small", {}, b.oldest && !level ? w("unanswered · oldest {age}", { age: duration(state.clock - b.oldest) }) : w("unanswered")))),
      spark(b.spark, 300, 46));
    if (b.signal && b.level) node.append(h("p", { class: "tile-foot" }, `${signalName(b.signal)} · ${b.acknowledged ? `✓ ${w("acknowledged")}` : w("not acknowledged")}`));
    if (b.blind.length) node.append(h("p", { class: "tile-foot blind" }, w("blind: {names}", { names: b.blind.join(", ") })));
  });
  const hidden = brands.length - shown.length + (state.brands_total - state.brands.length);
  $("tiles").dataset.more = hidden > 0 ? w("and {n} more", { n: hidden }) : "";
}

// Where few mentions come, any share is possible and the limit says nothing: then what is usual.
function shareLimit(b, word) {
  const name = word === "neg." ? w("neg.") : w("negative");
  if (b.share_upper !== null && b.share_upper < 0.99) return `${name} · ${w("limit {n}", { n: share(b.share_upper) })}`;
  return b.share_expected === null ? name : `${name} · ${w("usual {n}", { n: share(b.share_expected) })}`;
}

function foot(state) {
  const bad = state.sources.filter((s) => !s.healthy && !s.ended);
  const good = state.sources.filter((s) => s.healthy && !s.ended);
  const parts = [h("span", { class: "day" }, longDay(state.clock))];
  parts.push(h("span", { class: "spring" }));
  if (!state.sources.length) parts.push(h("span", {}, w("no source heard of")));
  for (const s of bad) parts.push(h("span", { class: "source bad" }, h("i", { class: "dot" }), `${s.name}: ${w("no answer")}`));
  if (good.length) parts.push(h("span", { class: "source good" }, h("i", { class: "dot" }), w("{n} of {all} sources answer", { n: good.length, all: state.sources.length })));
  else if (state.ended) parts.push(h("span", {}, w("replay ended")));
  const seen = parts.map((p) => p.textContent).join();
  if ($("foot").seen !== seen) { $("foot").seen = seen; $("foot").replaceChildren(...parts); }
}

const asked = new URLSearchParams(location.search);
follow(() => { const q = { minutes: 180 }; if (asked.get("run")) q.run = asked.get("run"); return q; }, show, (silent) => {
  document.body.classList.toggle("lost", silent !== null);
  if (silent === null) return;
  $("notice").hidden = false;
  text("notice", w("CONNECTION LOST for {age}: what you see is old. Trying again by itself.", { age: duration(silent) }));
});
