// The dialog that arms a fault, and the list of the armed ones.

import { $, call, make } from "./dom.js";
import { words } from "./i18n.js";
import { vendorName } from "./vendors.js";

const form = $("fault-form");
let vendor = "";

// openFault shows the dialog for a vendor, and for one device when a token is given.
export function openFault(forVendor, token = "") {
  vendor = forVendor;
  $("fault-title").textContent = words.armFor(vendorName(vendor));
  $("fault-error").textContent = "";
  form.reset();
  form.elements.token.value = token;
  const chosen = form.elements.kind.value;
  form.elements.kind.replaceChildren(...Object.entries(words.kinds).map(([kind, [name]]) => make("option", `${name} (${kind})`, { value: kind })));
  if (chosen) form.elements.kind.value = chosen;
  showFields();
  $("fault-dialog").showModal();
}

function showFields() {
  const kind = form.elements.kind.value;
  $("fault-hint").textContent = words.kinds[kind][1];
  for (const label of form.querySelectorAll("[data-for]")) label.hidden = !label.dataset.for.split(" ").includes(kind);
}

form.elements.kind.addEventListener("change", showFields);
$("fault-cancel").addEventListener("click", () => $("fault-dialog").close());
form.addEventListener("submit", async event => {
  event.preventDefault();
  const fault = { vendor, kind: form.elements.kind.value };
  for (const input of form.querySelectorAll("input")) {
    if (input.closest("label").hidden || input.value === "") continue;
    fault[input.name] = input.type === "number" ? Number(input.value) : input.value;
  }
  try {
    await call("POST", "faults", fault, words.unreachable);
    $("fault-dialog").close();
  } catch (err) {
    $("fault-error").textContent = err.message;
  }
});

const clear = path => call("DELETE", path, undefined, words.unreachable).catch(() => {}); // the next state shows what is left
$("clear-faults").addEventListener("click", () => clear("faults"));
export const clearFaultsOf = vendor => clear("faults?vendor=" + vendor);

// showFaults lists the armed faults.
export function showFaults(faults) {
  $("faults-number").textContent = faults.length;
  $("no-faults").hidden = faults.length > 0;
  $("clear-faults").hidden = faults.length === 0;
  $("faults").replaceChildren(...faults.map(f => {
    const remove = make("button.remove", "×", { type: "button", "aria-label": words.remove, title: words.remove });
    remove.addEventListener("click", () => clear("faults/" + f.id));
    const about = [
      f.code, f.status, f.delay && `${f.delay} s`, f.retry_after && `Retry-After ${f.retry_after}`,
      f.times ? words.timesLeft(f.times) : words.always, f.token && words.deviceOnly(f.token),
    ].filter(Boolean).join(" · ");
    return make("li", [
      make("span.mark"), make("div", [make("strong", `${vendorName(f.vendor)}: ${words.kinds[f.kind]?.[0] ?? f.kind}`), make("small", about, { dir: "auto" })]), remove,
    ], { "data-vendor": f.vendor });
  }));
}
