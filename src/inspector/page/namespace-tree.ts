import { fill, h } from "./dom.js";
import { count } from "./format.js";
import type { Filter } from "./listing.js";
import { href } from "./router.js";
import { data } from "./text.js";

/** Where the list is (a breadcrumb), and the namespaces below that the scan has seen so far. */
export class NamespaceTree {
  readonly #filter: Filter;
  readonly #children = h("ul", { class: "tree" });
  readonly element: HTMLElement;
  #shown = "";

  constructor(filter: Filter) {
    this.#filter = filter;
    const { ns } = filter;
    const steps = ns.map((name, index) => this.#step(data(name, { maxLength: 40 }), ns.slice(0, index + 1)));
    this.element = h(
      "nav",
      { class: "namespaces", "aria-label": "Namespaces" },
      h("h2", {}, "Namespaces"),
      h("ol", { class: "crumbs" }, this.#step("All keys", []), ...steps),
      this.#children,
    );
  }

  show(seen: ReadonlyMap<string, number>): void {
    const below = new Map<string, number>();
    const depth = this.#filter.ns.length;
    for (const [path, keys] of seen) {
      const name = (JSON.parse(path) as string[])[depth];
      if (name !== undefined) below.set(name, (below.get(name) ?? 0) + keys);
    }
    const state = JSON.stringify([...below]);
    if (state === this.#shown) return;
    this.#shown = state;
    const names = [...below].sort(([a], [b]) => a.localeCompare(b));
    fill(this.#children, ...names.map(([name, keys]) => this.#child(name, keys)));
  }

  #step(text: Node | string, ns: readonly string[]): HTMLElement {
    const isHere = ns.length === this.#filter.ns.length;
    return h("li", {}, h("a", { href: href("keys", { ...this.#filter, ns }), "aria-current": isHere && "true" }, text));
  }

  #child(name: string, keys: number): HTMLElement {
    const ns = [...this.#filter.ns, name];
    return h(
      "li",
      {},
      h("a", { href: href("keys", { ...this.#filter, ns }) }, data(name, { maxLength: 40 })),
      h("span", { class: "muted" }, count(keys)),
    );
  }
}
