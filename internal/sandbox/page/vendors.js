// The vendors that the sandbox plays: name in both languages, and the look of their phones.

import { call } from "./dom.js";
import { language, words } from "./i18n.js";

const list = await call("GET", "vendors", undefined, words.unreachable).catch(() => []);
const vendors = Object.fromEntries(list.map(v => [v.vendor, v]));

export const vendorIDs = list.map(v => v.vendor);
export const vendorName = id => vendors[id]?.[language === "zh" ? "name_zh" : "name"] ?? id;
export const lookOf = id => vendors[id] ?? { system: "", heading: "", calls: "keys" };
