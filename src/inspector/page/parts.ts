import type { TagReport } from "../../inspect/port.js";
import { type Child, h } from "./dom.js";
import { entryHref, href } from "./router.js";
import { data, plain } from "./text.js";

/** Parts that several views have. */

export function card(title: string, ...children: readonly Child[]): HTMLElement {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

export interface Column {
  readonly title: string;
  /** Figures are at the right, with digits of one width. */
  readonly isFigure?: boolean;
  /** The first column names the row. */
  readonly isName?: boolean;
}

export interface Table {
  readonly element: HTMLElement;
  readonly body: HTMLElement;
}

/**
 * A table, and cards on narrow screens. There, CSS makes its parts blocks, for which browsers drop their meaning: the roles
 * keep it.
 */
export function table(caption: string, columns: readonly Column[]): Table {
  const heads = columns.map(({ title, isFigure }) =>
    h("th", { scope: "col", role: "columnheader", class: isFigure ? "figure" : undefined }, title),
  );
  const body = h("tbody", { role: "rowgroup" });
  const element = h(
    "table",
    { role: "table" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
    body,
  );
  return { element: h("div", { class: "table" }, element), body };
}

/** A row of a table, with a cell for each column. */
export function row(columns: readonly Column[], cells: readonly Child[]): HTMLElement {
  return h(
    "tr",
    { role: "row" },
    ...columns.map(({ title, isFigure, isName }, index) => {
      const attributes = { "data-label": title, class: isFigure ? "figure" : isName ? "name" : undefined };
      return isName
        ? h("th", { ...attributes, scope: "row", role: "rowheader" }, cells[index])
        : h("td", { ...attributes, role: "cell" }, cells[index]);
    }),
  );
}

export function keyLink(storedKey: string): HTMLElement {
  return h("a", { href: entryHref(storedKey), class: "key" }, data(storedKey));
}

export function badge(text: string, tone: string): HTMLElement {
  return h("span", { class: "badge", "data-tone": tone }, text);
}

/** A tag by its text, or by its hash where that is all there is. */
export function tagChip({ label, tag, purged }: TagReport): HTMLElement {
  const mark = purged !== "no" && h("span", { class: "struck" }, purged === "soft" ? " made stale" : " purged");
  if (tag === undefined) {
    const title = "Entries store hashes of tags, and this process doesn't know the text of this one";
    return h("span", { class: "chip", "data-purged": purged, title }, "#", h("code", {}, label), mark);
  }
  const title = `Keys with the tag ${plain(tag)}`;
  return h(
    "a",
    { class: "chip", "data-purged": purged, href: href("keys", { tag }), title },
    data(tag, { maxLength: 60 }),
    mark,
  );
}

/** Something that isn't there, said calmly. */
export function empty(title: string, ...text: readonly Child[]): HTMLElement {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, ...text));
}

export function failure(message: string, ...actions: readonly Child[]): HTMLElement {
  return h(
    "div",
    { class: "notice", "data-tone": "bad", role: "alert" },
    h("p", {}, data(message, { maxLength: 2_000 })),
    ...actions,
  );
}

export function button(
  text: string,
  onclick: () => void,
  attributes: Readonly<Record<string, string | boolean>> = {},
): HTMLButtonElement {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** A field with its label, and what it takes. */
export function field(label: string, input: HTMLElement, hint?: string): HTMLElement {
  return h("label", { class: "field" }, h("span", {}, label), input, hint !== undefined && h("small", {}, hint));
}

export function textInput(name: string, value: string, placeholder = ""): HTMLInputElement {
  const input = h("input", {
    name,
    type: "text",
    placeholder,
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
  });
  input.value = value;
  return input;
}

/** The heading of a view, which takes the focus when the view opens. */
export function heading(title: string, ...extras: readonly Child[]): HTMLElement {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), ...extras);
}
