import type { HotName, ProcessLive } from "../../api.js";
import { h, KeyedList, setText } from "../dom.js";
import { count, duration, latency, NONE, percent } from "../format.js";
import { hitRatio } from "../history.js";
import { type Column, card, heading, keyLink, row, table } from "../parts.js";
import { href } from "../router.js";
import { data } from "../text.js";
import type { Context, View } from "../view.js";

export function hottestView({ feed }: Context): View {
  const lists = LISTS.map((list) => new HotList(list));
  const since = h("p", { class: "lead" });
  const element = h(
    "div",
    { class: "stack" },
    heading("Hottest and slowest"),
    since,
    h("div", { class: "pairs" }, ...lists.map((list) => list.element)),
  );
  return {
    title: "Hottest and slowest",
    element,
    update() {
      if (!feed.live) return;
      const { process, fleet } = feed.live;
      const keys = fleet ? "keys of the whole fleet" : "keys of this process";
      setText(
        since,
        `In the ${duration(process.total.seconds * 1_000)} since they are watched: definitions of this process, and ${keys}.`,
      );
      for (const list of lists) list.show({ ...process, ...fleet });
    },
    end: () => undefined,
  };
}

interface List {
  readonly title: string;
  readonly of: "hottest" | "slowest" | "hottestKeys" | "slowestKeys";
  readonly isOfKeys: boolean;
  readonly none: string;
}

const LISTS: readonly List[] = [
  { title: "Hottest definitions", of: "hottest", isOfKeys: false, none: "No calls yet." },
  { title: "Slowest definitions", of: "slowest", isOfKeys: false, none: "No loads yet." },
  { title: "Hottest keys", of: "hottestKeys", isOfKeys: true, none: "No calls yet." },
  { title: "Slowest keys", of: "slowestKeys", isOfKeys: true, none: "No loads yet." },
];

interface Shown {
  readonly title: string;
  readonly text: (name: HotName) => string;
}

const ratioText = (name: HotName) => percent(hitRatio(name));
const loadText = (ms: number, loads: number) => (loads === 0 ? NONE : latency(ms));

const HOT: readonly Shown[] = [
  { title: "Calls", text: ({ calls }) => count(calls) },
  { title: "Hit ratio", text: ratioText },
  { title: "Loads", text: ({ loads }) => count(loads) },
];

const SLOW: readonly Shown[] = [
  { title: "Mean load", text: ({ meanMs, loads }) => loadText(meanMs, loads) },
  { title: "Longest", text: ({ maxMs, loads }) => loadText(maxMs, loads) },
  { title: "Loads", text: ({ loads }) => count(loads) },
];

class HotList {
  readonly element: HTMLElement;
  readonly #list: List;
  readonly #rows: KeyedList<HotName>;
  readonly #none: HTMLElement;
  readonly #table: HTMLElement;

  constructor(list: List) {
    this.#list = list;
    const shown = list.of.startsWith("hottest") ? HOT : SLOW;
    const columns: readonly Column[] = [
      { title: list.isOfKeys ? "Key" : "Definition", isName: true },
      ...shown.map(({ title }) => ({ title, isFigure: true })),
    ];
    const { element, body } = table(list.title, columns);
    this.#table = element;
    this.#none = h("p", { class: "muted" }, list.none);
    this.#rows = new KeyedList(
      body,
      ({ name }) => name,
      ({ name }) => {
        const cells = shown.map(() => h("span"));
        return {
          element: row(columns, [list.isOfKeys ? keyLink(name) : definitionLink(name), ...cells]),
          update: (item) => {
            for (const [index, { text }] of shown.entries()) {
              const cell = cells[index];
              if (cell) setText(cell, text(item));
            }
          },
        };
      },
    );
    this.element = card(list.title, this.#none, this.#table);
  }

  show(all: Pick<ProcessLive, List["of"]>): void {
    const names = all[this.#list.of];
    this.#none.hidden = names.length > 0;
    this.#table.hidden = names.length === 0;
    this.#rows.show(names);
  }
}

/** The keys that begin with the definition's name. */
function definitionLink(name: string): HTMLElement {
  return h("a", { href: href("keys", { pattern: `${escapeGlob(name)}*` }), class: "key" }, data(name));
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}
