import { h } from "./dom.js";
import { counted, exactCount } from "./format.js";
import { button } from "./parts.js";
import { data } from "./text.js";

/** Children are made when their parent opens, and so many at once: a value of any size opens at once. */
const CHILDREN = 100;
const OPEN_DEPTH = 2;
/** Parents with more children are closed at first. */
const OPEN_CHILDREN = 30;
const TEXT_LENGTH = 2_000;

/** A value as a tree whose branches open and close. */
export function jsonTree(value: unknown): HTMLElement {
  return h("div", { class: "json" }, node(undefined, value, 0));
}

function node(name: string | undefined, value: unknown, depth: number): HTMLElement {
  const label = name !== undefined && h("span", { class: "json-name" }, data(name), ": ");
  if (typeof value !== "object" || value === null) return h("div", { class: "json-leaf" }, label, scalar(value));
  const children: readonly (readonly [string, unknown])[] = Array.isArray(value)
    ? value.map((child, index) => [String(index), child] as const)
    : Object.entries(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (children.length === 0) return h("div", { class: "json-leaf" }, label, `${open}${close}`);
  const size = Array.isArray(value) ? counted(children.length, "item") : counted(children.length, "field");
  const place = h("div", { class: "json-children" });
  const isOpen = depth < OPEN_DEPTH && children.length <= OPEN_CHILDREN;
  let shown = 0;
  const more = () => {
    const end = Math.min(children.length, shown + CHILDREN);
    place.querySelector(":scope > .json-more")?.remove();
    for (const [childName, child] of children.slice(shown, end)) place.append(node(childName, child, depth + 1));
    shown = end;
    if (shown < children.length) {
      const rest = `Show more: ${exactCount(children.length - shown)} are left`;
      place.append(h("div", { class: "json-more" }, button(rest, more, { class: "quiet" })));
    }
  };
  if (isOpen) more();
  const details = h(
    "details",
    { open: isOpen, ontoggle: () => details.open && shown === 0 && more() },
    h("summary", {}, label, open, h("span", { class: "muted" }, ` ${size} `), close),
    place,
  );
  return details;
}

function scalar(value: unknown): HTMLElement {
  if (typeof value === "string") {
    return h("span", { class: "json-text" }, '"', data(value, { maxLength: TEXT_LENGTH, lines: true }), '"');
  }
  return h("span", { class: typeof value === "number" ? "json-number" : "json-word" }, String(value));
}
