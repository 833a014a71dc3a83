import type { LiveCounts, LiveLatency } from "../api.js";
import { fill, h, setText, setVar, svg } from "./dom.js";
import { count, counted, latency, percent, rate } from "./format.js";

/** More dots than this say no more. */
const MOST_DOTS = 38;

interface Lane {
  readonly name: "hits" | "stale" | "leases" | "waiters";
  readonly title: string;
  readonly next: string;
}

const LANES: readonly Lane[] = [
  { name: "hits", title: "Fresh values", next: "answered at once" },
  { name: "stale", title: "Stale values", next: "answered at once, while one caller loads" },
  { name: "leases", title: "Lease holders", next: "call the loader, and publish the value" },
  { name: "waiters", title: "Waiters", next: "get the holder's value" },
];

/** Callers, and which way they take: as wide as they are many. */
export class HerdPicture {
  readonly #callers = h("b", { class: "herd-number" });
  readonly #of = h("span", { class: "muted" });
  readonly #lanes = LANES.map((lane) => new LaneView(lane));
  readonly #flows = LANES.map(({ name }) =>
    svg("path", { "data-lane": name, fill: "none", "vector-effect": "non-scaling-stroke" }),
  );
  readonly #words = h("p", { class: "unseen" });
  readonly element: HTMLElement;

  constructor() {
    const curves = svg(
      "svg",
      { class: "herd-flows", viewBox: "0 0 100 400", preserveAspectRatio: "none", "aria-hidden": "true" },
      ...this.#flows,
    );
    this.element = h(
      "section",
      { class: "card", "aria-label": "The herd in the last second" },
      h("h2", {}, "The last second"),
      this.#words,
      h(
        "div",
        { class: "herd", "aria-hidden": "true" },
        h("div", { class: "herd-callers" }, h("span", { class: "herd-title" }, "Callers"), this.#callers, this.#of),
        curves,
        h("div", { class: "herd-lanes" }, ...this.#lanes.map(({ element }) => element)),
      ),
    );
  }

  show(counts: LiveCounts, of: string, load: LiveLatency): void {
    const { hits, stale, misses, leasesHeld, waiters } = counts;
    const lookups = hits + stale + misses;
    setText(this.#callers, `${rate(lookups)}/s`);
    setText(this.#of, `lookups of ${of}`);
    const values = [hits, stale, leasesHeld, waiters];
    const all = Math.max(1, hits + stale + leasesHeld + waiters);
    const share = (value: number) => (lookups === 0 ? "" : percent(value / lookups));
    const notes = [
      share(hits),
      share(stale),
      load.count === 0 ? "" : `median load ${latency(load.p50Ms)}`,
      waiters === 0 ? "" : `${counted(waiters, "load")} not made`,
    ];
    for (const [index, lane] of this.#lanes.entries()) lane.show(values[index] ?? 0, notes[index] ?? "");
    this.#drawFlows(values, all);
    setText(
      this.#words,
      `${rate(lookups)} lookups in the last second: ${count(hits)} were answered with fresh values, ${count(stale)} with stale ones. ${counted(leasesHeld, "caller")} hold a lease and load, ${count(waiters)} wait for them.`,
    );
  }

  /** From the middle at the left, each to the middle of its lane. */
  #drawFlows(values: readonly number[], all: number): void {
    const widths = values.map((value) => (value === 0 ? 1 : Math.max(2, 34 * (value / all))));
    const height = widths.reduce((sum, width) => sum + width, 0);
    let start = 200 - height / 2;
    for (const [index, flow] of this.#flows.entries()) {
      const width = widths[index] ?? 1;
      const from = start + width / 2;
      const to = 50 + 100 * index;
      start += width;
      flow.setAttribute("d", `M0 ${from} C50 ${from} 50 ${to} 100 ${to}`);
      setVar(flow, "--width", width);
      flow.toggleAttribute("data-idle", values[index] === 0);
    }
  }
}

class LaneView {
  readonly #value = h("b", { class: "herd-number" }, "0");
  readonly #note = h("span", { class: "herd-note" });
  readonly #dots = h("span", { class: "dots" });
  readonly element: HTMLElement;
  #shown = -1;

  constructor({ name, title, next }: Lane) {
    this.element = h(
      "div",
      { class: "herd-lane", "data-lane": name },
      h("div", {}, h("span", { class: "herd-title" }, title), this.#value, this.#note),
      this.#dots,
      h("span", { class: "herd-next" }, next),
    );
  }

  show(value: number, note: string): void {
    setText(this.#value, count(value));
    setText(this.#note, note);
    const dots = Math.min(MOST_DOTS, value);
    if (dots === this.#shown) return;
    this.#shown = dots;
    fill(this.#dots, ...Array.from({ length: dots }, () => h("i")), value > MOST_DOTS && "…");
  }
}
