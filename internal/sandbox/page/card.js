// One notification as its phone shows it, with what a developer wants to know below.

import { call, draw, make } from "./dom.js";
import { words } from "./i18n.js";
import { lookOf, vendorName } from "./vendors.js";

const bubble = "M12 3.5c-5 0-9 3.3-9 7.4 0 2.3 1.3 4.4 3.3 5.7-.1 1.1-.6 2.3-1.5 3.3 1.9-.1 3.5-.8 4.6-1.8.8.2 1.7.3 2.6.3 5 0 9-3.3 9-7.5s-4-7.4-9-7.4z";
const handset = "M6.6 10.8c1.4 2.8 3.8 5.1 6.6 6.6l2.2-2.2c.3-.3.7-.4 1-.2 1.1.4 2.3.6 3.6.6.6 0 1 .4 1 1V20c0 .6-.4 1-1 1C10.6 21 3 13.4 3 4c0-.6.4-1 1-1h3.5c.6 0 1 .4 1 1 0 1.3.2 2.5.6 3.6.1.3 0 .7-.2 1z";
const chevron = "M6 9l6 6 6-6";
const bars = "M1 11h3v4H1zM6 8h3v7H6zM11 5h3v10h-3zM16 1h3v14h-3z";
const battery = "M2 3h18a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H2a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm21 3.5v3c1-.3 1.5-.8 1.5-1.5S24 6.8 23 6.5z";

// A call rings for as long as its invitation lives.
const ringsFor = 60000;
export const rings = p => Boolean(p.call) && Date.now() - new Date(p.at) < ringsFor;

// phoneOf is the phone's name, or its token where nobody told the sandbox whose it is.
export const phoneOf = p => p.phone || p.token;

// cardID is the same for pushes that replace each other on the screen, and for those that only
// change the number on an icon.
export const cardID = p => p.only_badge ? [p.vendor, p.app, p.token, "", "number"].join("\u0000") : p.key ? [p.vendor, p.app, p.token, p.key].join("\u0000") : [p.vendor, p.seq, p.at].join("\u0000");

const clock = at => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

// age is a time as phones write it.
export function age(at) {
  const minutes = Math.floor((Date.now() - new Date(at)) / 60000);
  if (minutes < 1) return words.now;
  return minutes < 60 ? words.minutes(minutes) : words.hours(Math.floor(minutes / 60));
}

// card draws a push; on.fault opens the dialog for a device, on.phone shows a phone alone.
export function card(p, on) {
  const look = lookOf(p.vendor);
  // where no line above names the app, its name stands in for a title
  const title = make("p.title", p.only_badge ? words.number(p.badge) : p.title || (look.heading ? "" : p.app), { dir: "auto" });
  title.id = "title-" + p.seq;
  return make("article.card", [phone(p, title), facts(p, on.phone), details(p, on.fault)], {
    "data-vendor": p.vendor, "data-heading": look.heading, "data-calls": look.calls, "aria-labelledby": `${title.id} body-${p.seq}`, tabindex: "0",
  });
}

function phone(p, title) {
  return make("div.phone" + (rings(p) ? ".calling" : "") + (p.only_badge ? ".idle" : ""), [
    make("div.bar", [
      make("span.clock", clock(p.at)), make("span.cutout", [make("i"), make("i")]),
      make("span.signs", [draw(bars, "0 0 20 16"), draw(battery, "0 0 25 16")]),
    ], { "aria-hidden": "true" }),
    make("div.note", [
      icon(p),
      make("div.text", [
        make("div.head", [make("span.app", p.app, { dir: "auto" }), make("time.when", age(p.at), { datetime: p.at }), make("span.more", [draw(chevron)], { "aria-hidden": "true" })]),
        p.image ? make("span.picture", undefined, { role: "img", "aria-label": words.picture, title: p.image }) : null,
        title,
        p.subtitle ? make("p.subtitle", p.subtitle, { dir: "auto" }) : null,
        make("p.body", p.only_badge && p.gone ? words.cleared : p.body, { dir: "auto", id: "body-" + p.seq }),
      ]),
      p.call ? buttons() : null,
    ]),
    make("span.home", undefined, { "aria-hidden": "true" }),
  ]);
}

function icon(p) {
  const badge = make("b.badge");
  badge.hidden = true; // until the icon has a number
  return make("span.icon", [draw(p.call ? handset : bubble), badge], { "aria-hidden": "true" });
}

// buttons are a drawing: nobody can be called back from here.
function buttons() {
  return make("span.buttons", [
    make("span.decline", [draw(handset), make("span", words.decline)]),
    make("span.answer", [draw(handset), make("span", words.answer)]),
  ], { "aria-hidden": "true" });
}

function facts(p, phoneAlone) {
  const whose = make("button.whose", p.phone || p.token.slice(0, 8) + "…", { type: "button", title: words.phoneAlone(phoneOf(p)), dir: "auto" });
  whose.addEventListener("click", () => phoneAlone(p.vendor, phoneOf(p)));
  return make("p.facts", [
    make("span.mark"), make("strong", vendorName(p.vendor)), make("span.look", lookOf(p.vendor).system), whose,
    make("time.at", new Date(p.at).toLocaleTimeString([], { hour12: false }), { datetime: p.at }),
  ]);
}

function details(p, faultFor) {
  const list = make("dl");
  for (const [field, label] of Object.entries(words.fields)) {
    const value = p[field];
    if (value !== undefined && value !== null && value !== "") list.append(make("dt", label), make("dd", value, { dir: "auto" }));
  }
  const said = make("span.said", "", { role: "status" });
  const act = (label, action) => {
    const button = make("button", label, { type: "button" });
    button.addEventListener("click", action);
    return button;
  };
  const change = method => async () => {
    try {
      await call(method, "dead", { vendor: p.vendor, token: p.token }, words.unreachable);
      said.textContent = words.copied;
    } catch (err) {
      said.textContent = err.message;
    }
  };
  return make("details.more-about", [
    make("summary", [
      make("span", words.details),
      p.call ? make("span.tag.is-call", words.call) : null,
      p.repeat ? make("span.tag.is-repeat", words.repeated(p.times ?? 2)) : null,
      p.quiet ? make("span.tag", words.quiet) : null,
      p.gone && !p.only_badge ? make("span.tag", words.callScreenEnds) : null,
      p.class ? make("span.tag", p.class) : null,
    ]),
    list,
    make("div.acts", [act(words.kill, change("POST")), act(words.revive, change("DELETE")), act(words.faultHere, () => faultFor(p.vendor, p.token)), said]),
  ]);
}
