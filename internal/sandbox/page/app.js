// The live view: asks for what was accepted before, then listens.

import { age, card, cardID, phoneOf, rings } from "./card.js";
import { $, call, make } from "./dom.js";
import { clearFaultsOf, openFault, showFaults } from "./faults.js";
import { switchLanguage, translate, words } from "./i18n.js";
import { vendorIDs, vendorName } from "./vendors.js";

const mostCards = 120;

const shown = new Map(); // card id → {push, el}, oldest first
const numbers = new Map(); // phone and app → the number on the app's icon
let [only, phone] = wanted(); // the vendor and the phone that are shown; empty for all
let paused = null; // while paused: what waits to be shown
let missed = 0;
let state = { counts: {}, faults: [] };
let violations = [];

// wanted reads #vendor or #vendor/phone.
function wanted() {
  const [vendor, name = ""] = location.hash.slice(1).split("/");
  try {
    if (vendorIDs.includes(vendor)) return [vendor, decodeURIComponent(name)];
  } catch { /* somebody's slip of the pen */ }
  return ["", ""];
}

const iconOf = p => [p.vendor, phoneOf(p), p.app].join("\u0000");

// show puts a push on top. One that replaces an earlier one takes its place on the screen; others
// may leave the screen with it.
function show(p, fresh) {
  if (only && p.vendor !== only || phone && phoneOf(p) !== phone) return;
  if (paused) {
    paused.push(p);
    if (paused.length > mostCards) paused.shift();
    showPause();
    return;
  }
  for (const [id, c] of shown) {
    if (!p.gone?.includes(c.push.first ?? c.push.seq)) continue;
    c.el.remove();
    shown.delete(id);
  }
  const id = cardID(p);
  const before = shown.get(id);
  if (p.dropped && before) p = { ...before.push, seq: p.seq, first: before.push.first ?? before.push.seq, at: p.at, repeat: true, times: p.times };
  if (before && before.push.seq === p.seq && before.push.at === p.at) return;
  before?.el.remove();
  shown.delete(id);
  const el = card(p, { fault: openFault, phone: showPhone });
  if (fresh) el.classList.add("fresh");
  $("feed").prepend(el);
  shown.set(id, { push: p, el });
  if (p.badge !== undefined) numbers.set(iconOf(p), p.badge);
  showNumber(iconOf(p));
  showPhoneBar();
  while (shown.size > mostCards) {
    const [oldest, { el }] = shown.entries().next().value;
    el.remove();
    shown.delete(oldest);
  }
  $("empty").hidden = true;
  if (fresh) announce();
}

// showNumber writes the number of an icon on all its cards: it is the icon's, not a notification's.
function showNumber(icon) {
  const n = numbers.get(icon) ?? 0;
  for (const { push, el } of shown.values()) {
    if (iconOf(push) !== icon) continue;
    const badge = el.querySelector(".badge");
    badge.hidden = n === 0;
    badge.textContent = n > 99 ? "99+" : n;
  }
}

// showPhone shows one phone alone, or with nothing all.
function showPhone(vendor, name = "") {
  [only, phone] = [vendor, name];
  history.replaceState(null, "", vendor ? "#" + vendor + (name ? "/" + encodeURIComponent(name) : "") : location.pathname);
  showFilter();
  showState();
  load();
}

// showPhoneBar says which phone is shown alone, and the number on the icon of each of its apps.
function showPhoneBar() {
  $("phone").hidden = !phone;
  if (!phone) return;
  const all = [...shown.values()].map(c => c.push);
  const icons = [...new Set(all.map(iconOf))].filter(icon => numbers.has(icon));
  const leave = make("button", words.allPhones, { type: "button" });
  leave.addEventListener("click", () => showPhone(""));
  $("phone").replaceChildren(
    make("strong", phone, { dir: "auto" }), make("span.look", vendorName(only)),
    make("span", words.onScreen(all.filter(p => !p.only_badge).length)),
    ...icons.map(icon => make("span", words.number(numbers.get(icon)))), leave);
  $("phone").dataset.vendor = only;
}

// load starts the view anew with what the sandbox remembers, and returns the number of the newest
// push of all: what is shown alone may be older.
async function load() {
  try {
    const [newest] = await call("GET", "pushes?limit=1", undefined, words.unreachable);
    const pushes = await call("GET", `pushes?limit=${mostCards}&vendor=${only}&phone=${encodeURIComponent(phone)}`, undefined, words.unreachable);
    wipe();
    for (const p of pushes) show(p, false);
    return newest?.seq ?? 0;
  } catch {
    return 0; // the stream tries again
  }
}

function wipe() {
  shown.clear();
  numbers.clear();
  missed = 0;
  $("feed").replaceChildren();
  $("missed").hidden = true;
  $("empty").hidden = false;
  showPhoneBar();
}

// redraw draws everything again, in another language.
function redraw() {
  const pushes = [...shown.values()].map(c => c.push);
  const open = missed;
  wipe();
  for (const p of pushes) show(p, false);
  showMissed(open);
  showFilter();
  showState();
  showRules();
  showPause();
  showTheme();
  $("language").textContent = words.language;
  $("language").lang = words.language === "中文" ? "zh-CN" : "en";
  showLive($("live").dataset.state);
}

function showMissed(n) {
  missed += n;
  $("missed").hidden = missed === 0;
  $("missed").textContent = words.missed(missed);
}

let news = 0, speaking = null;
function announce() {
  news++;
  speaking ??= setTimeout(() => {
    $("announce").textContent = words.arrived(news);
    news = 0;
    speaking = null;
  }, 2000);
}

function showLive(is) {
  $("live").dataset.state = is;
  $("live-text").textContent = words[is];
}

function listen(after) {
  const events = new EventSource("/sandbox/api/events?after=" + after);
  events.onopen = () => showLive("live");
  events.onerror = () => {
    showLive("lost");
    if (events.readyState === EventSource.CLOSED) setTimeout(() => listen(after), 3000);
  };
  events.addEventListener("push", e => show(JSON.parse(e.data), true));
  events.addEventListener("missed", e => showMissed(JSON.parse(e.data).missed));
  events.addEventListener("state", e => {
    const broken = total("violations");
    state = JSON.parse(e.data);
    showState();
    if (total("violations") !== broken) loadRules();
  });
}

const total = what => Object.values(state.counts).reduce((sum, c) => sum + (c[what] ?? 0), 0);

function showState() {
  for (const dd of document.querySelectorAll("[data-total]")) dd.textContent = total(dd.dataset.total).toLocaleString();
  document.querySelector("[data-total=violations]").classList.toggle("bad", total("violations") > 0);
  for (const [id, button] of filterButtons) button.querySelector(".number").textContent = (id ? state.counts[id]?.accepted ?? 0 : total("accepted")).toLocaleString();
  $("vendors").replaceChildren(...vendorIDs.map(vendorRow));
  showFaults(state.faults);
}

function vendorRow(id) {
  const c = state.counts[id] ?? { accepted: 0, repeats: 0, refused: 0, violations: 0 };
  const count = (n, bad) => make("td" + (bad && n ? ".bad" : ""), (n ?? 0).toLocaleString());
  const arm = make("button", words.armShort, { type: "button", "aria-label": words.armFor(vendorName(id)) });
  arm.addEventListener("click", () => openFault(id));
  const armed = state.faults.filter(f => f.vendor === id).length;
  const clear = armed ? make("button.armed", "× " + armed, { type: "button", "aria-label": words.clearVendor(vendorName(id)), title: words.clearVendor(vendorName(id)) }) : null;
  clear?.addEventListener("click", () => clearFaultsOf(id));
  return make("tr", [
    make("th", [make("span.mark"), make("span", vendorName(id))], { scope: "row" }),
    count(c.accepted), count(c.repeats), count(c.withdrawn), count(c.refused), count(c.violations, true),
    make("td.acts", [clear, arm]),
  ], { "data-vendor": id });
}

async function loadRules() {
  try {
    violations = await call("GET", "violations", undefined, words.unreachable);
    showRules();
  } catch { /* the next state asks again */ }
}

// showRules lists each broken rule once, with how often, the newest first.
function showRules() {
  const rules = new Map();
  for (const v of violations) {
    const id = [v.vendor, v.code, v.rule].join("\u0000");
    const times = (rules.get(id)?.times ?? 0) + 1;
    rules.delete(id);
    rules.set(id, { ...v, times });
  }
  $("rules-number").textContent = rules.size;
  $("no-rules").hidden = rules.size > 0;
  $("rules").replaceChildren(...[...rules.values()].reverse().slice(0, 100).map(v => make("li", [
    make("p", v.rule, { dir: "auto" }),
    make("small", [make("span.mark"), make("span", vendorName(v.vendor)), make("code", v.code), make("span", age(v.at)), v.times > 1 ? make("span.tag.is-repeat", "×" + v.times) : null]),
  ], { "data-vendor": v.vendor })));
}

let filterButtons = new Map();
function showFilter() {
  filterButtons = new Map(["", ...vendorIDs].map(id => {
    const button = make("button", [id ? make("span.mark") : null, make("span", id ? vendorName(id) : words.all), make("span.number", "0")],
      { type: "button", "aria-pressed": String(only === id), "data-vendor": id });
    button.addEventListener("click", () => showPhone(id));
    return [id, button];
  }));
  $("filter").replaceChildren(...filterButtons.values());
}

function showPause() {
  $("pause").textContent = paused ? words.resume(paused.length) : words.pause;
  $("pause").setAttribute("aria-pressed", String(paused !== null));
}

$("pause").addEventListener("click", () => {
  const waiting = paused;
  paused = paused ? null : [];
  for (const p of waiting ?? []) show(p, true);
  showPause();
});

$("clear").addEventListener("click", wipe);

const themes = ["auto", "light", "dark"];
let theme = themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto";
function showTheme() {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = words["theme" + theme[0].toUpperCase() + theme.slice(1)];
}
$("theme").addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  localStorage.setItem("theme", theme);
  showTheme();
});

$("language").addEventListener("click", () => {
  switchLanguage();
  redraw();
});

// On a narrow screen the panels stand before the notifications, closed.
const wide = matchMedia("(min-width: 1100px)");
const openPanels = () => document.querySelectorAll("details.panel").forEach(d => { d.open = wide.matches; });
wide.addEventListener("change", openPanels);
openPanels();

setInterval(() => {
  for (const { push, el } of shown.values()) {
    el.querySelector(".when").textContent = age(push.at);
    el.querySelector(".phone").classList.toggle("calling", rings(push));
  }
}, 5000);

translate();
showLive("connecting");
redraw();
const seen = await load();
await loadRules();
listen(seen);
