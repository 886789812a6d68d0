// Small helpers. Text always goes in as text: what a push carries is never read as HTML.

export const $ = id => document.getElementById(id);

// make builds an element: make("p.title", "text"), make("ul", [child, …]).
export function make(what, content, attributes = {}) {
  const [tag, ...classes] = what.split(".");
  const el = document.createElement(tag || "div");
  el.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  if (Array.isArray(content)) el.append(...content.filter(Boolean));
  else if (content !== undefined && content !== null) el.textContent = String(content);
  return el;
}

// draw builds an icon of one path.
export function draw(path, viewBox = "0 0 24 24") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

// call asks the sandbox, and throws an Error with the sandbox's own sentence when it refuses.
export async function call(method, path, body, unreachable) {
  let response;
  try {
    response = await fetch("/sandbox/api/" + path, { method, body: body && JSON.stringify(body) });
  } catch {
    throw new Error(unreachable);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}
