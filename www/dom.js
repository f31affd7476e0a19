/** Makes an element. `props`: attributes, `class`, `on…` listeners; false and null are left out. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Outlines on a grid of 24, drawn in the text's colour. */
const PATHS = {
  back: "M15 5l-7 7 7 7",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  shield: "M12 3c2.500 1.800 4.800 2.500 7.500 2.500V11c0 4.600-3 7.600-7.500 9.500C7.500 18.600 4.500 15.600 4.500 11V5.500C7.200 5.500 9.500 4.800 12 3z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2.500-2.500L20 17M15.500 9.500h.01",
  cloudOff: "M4 4l16 16M8.500 8.600A5 5 0 0 0 7 18h10M10.500 6.800A5.500 5.500 0 0 1 17.700 11 4 4 0 0 1 20 17",
  alert: "M12 4l9 16H3zM12 10v4M12 17h.01",
  search: "M10.500 4a6.500 6.500 0 1 1 0 13 6.500 6.500 0 0 1 0-13zM15.500 15.500L21 21",
  close: "M6 6l12 12M18 6L6 18",
  retry: "M19 12a7 7 0 1 1-2-4.900M19 4v4h-4",
};

/** A decorative icon: screen readers skip it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Tells screen readers; never holds a name, since some of them keep a log. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
