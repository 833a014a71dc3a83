import type { Live, LiveCounts, LiveLatency, ProcessLive } from "../../api.js";
import { Chart } from "../chart.js";
import { fill, h, setText, setVar, svg } from "../dom.js";
import type { Feed } from "../feed.js";
import { bytes, count, counted, duration, latency, NONE, percent, rate } from "../format.js";
import { type History, hitRatio } from "../history.js";
import { type Column, card, empty, heading, row, table } from "../parts.js";
import { data, setData } from "../text.js";
import type { Context, View } from "../view.js";

/** "Now" is this long: a single second of a quiet service says little. */
const NOW_SECONDS = 10;
const SPARK_SECONDS = 60;

export function overviewView({ feed }: Context): View {
  const scope = new ScopeSwitch();
  const verdict = h("p", { class: "verdict" });
  const quiet = h("div");
  const ratio = new Ratio();
  const tiles = TILES.map((tile) => new TileView(tile));
  const chart = new Chart();
  const latencies = new Latencies();
  const store = new Facts("Store");
  const near = new Facts("Near cache");
  const watch = new Facts("This page");
  const element = h(
    "div",
    { class: "stack" },
    heading("Overview", scope.element),
    verdict,
    quiet,
    h("div", { class: "hero" }, ratio.element, h("div", { class: "tiles" }, ...tiles.map((tile) => tile.element))),
    card("Rates", chart.element),
    h(
      "div",
      { class: "columns" },
      card("Latencies of the last minute", latencies.element),
      store.element,
      near.element,
      watch.element,
    ),
  );
  return {
    title: "Overview",
    element,
    update() {
      const { live } = feed;
      const history = scope.isFleet ? feed.fleet : feed.process;
      scope.show(live);
      showVerdict(verdict, feed);
      chart.show(history.columns());
      if (!live) return;
      fill(quiet, isQuiet(live) && nothingYet(feed));
      ratio.show(history, scope.isFleet ? undefined : live.process.total);
      for (const tile of tiles) tile.show(history);
      latencies.show(live.process);
      store.show(storeFacts(live.process));
      near.show(nearFacts(live.process));
      watch.show(watchFacts(feed, live));
    },
    end: () => chart.end(),
  };
}

/** The figures of this process, or of all. */
class ScopeSwitch {
  readonly #process = h("input", { type: "radio", name: "scope", value: "process", checked: true });
  readonly #fleet = h("input", { type: "radio", name: "scope", value: "fleet" });
  readonly #fleetText = h("span", {}, "Fleet");
  readonly element = h(
    "fieldset",
    { class: "segments" },
    h("legend", { class: "unseen" }, "Figures of"),
    h("label", {}, this.#process, h("span", {}, "This process")),
    h("label", {}, this.#fleet, this.#fleetText),
  );

  get isFleet(): boolean {
    return this.#fleet.checked;
  }

  show(live: Live | undefined): void {
    const processes = live?.fleet?.processes.length;
    setText(
      this.#fleetText,
      processes === undefined ? "Fleet" : `Fleet · ${counted(processes, "process", "processes")}`,
    );
    this.#fleet.disabled = processes === undefined && !this.#fleet.checked;
  }
}

function isQuiet({ process }: Live): boolean {
  return process.total.calls === 0 && process.total.requests === 0;
}

function nothingYet(feed: Feed): HTMLElement {
  const age = duration(Date.now() - feed.openedMs);
  const text =
    "Counting begins with the first watcher, and costs nothing before. Figures appear with the next call of this process; other processes are under Fleet.";
  return empty(`No calls since you opened this page, ${age} ago`, text);
}

function showVerdict(verdict: HTMLElement, { live, connection, storeGoneMs }: Feed): void {
  const [tone, text] = verdictOf(live, connection.state === "open", storeGoneMs !== undefined);
  verdict.dataset.tone = tone;
  setText(verdict, text);
}

function verdictOf(live: Live | undefined, isOpen: boolean, isStoreGone: boolean): [tone: string, text: string] {
  if (!live) return ["idle", "Waiting for the first figures."];
  const { process } = live;
  if (!isOpen) return ["warn", "These figures are from before the connection was lost."];
  if (isStoreGone) return ["bad", "The store can't be reached. Callers load for themselves."];
  if (process.breaker === "half-open") return ["warn", "The store has failed, and one call is trying it again."];
  if (process.now.errors > 0)
    return ["warn", `${counted(process.now.errors, "error")} in the last second. The events say which.`];
  if (process.now.failedLoads > 0)
    return ["warn", `${counted(process.now.failedLoads, "load")} failed in the last second.`];
  if (process.breaker === "idle") return ["idle", "This process has sent no command to the store yet."];
  return ["good", "The cache works: the store answers, and nothing failed in the last second."];
}

/** The hit ratio now, and what it is made of. */
class Ratio {
  readonly #now = h("p", { class: "ratio" }, NONE);
  readonly #bar = h(
    "div",
    { class: "split", "aria-hidden": true },
    ...["hits", "stale", "misses"].map((name) => h("span", { "data-series": name })),
  );
  readonly #parts = h("p", { class: "split-text" });
  readonly #since = h("p", { class: "muted" });
  readonly element = h(
    "section",
    { class: "card ratio-card" },
    h("h2", {}, `Hit ratio, last ${NOW_SECONDS} s`),
    this.#now,
    this.#bar,
    this.#parts,
    this.#since,
  );

  show(history: History, total: (LiveCounts & { seconds: number }) | undefined): void {
    setText(this.#now, percent(history.hitRatio(NOW_SECONDS)));
    const sums = ["hits", "stale", "misses"].map((name) =>
      history
        .last(NOW_SECONDS, (counts) => counts[name as "hits" | "stale" | "misses"])
        .reduce((sum, value) => sum + value, 0),
    );
    for (const [index, part] of [...this.#bar.children].entries()) {
      if (part instanceof HTMLElement) setVar(part, "--share", sums[index] ?? 0);
    }
    const [hits = 0, stale = 0, misses = 0] = sums;
    setText(this.#parts, `${counted(hits, "hit")} · ${count(stale)} stale · ${counted(misses, "miss", "misses")}`);
    setText(
      this.#since,
      total
        ? `${percent(hitRatio(total))} of ${counted(total.hits + total.stale + total.misses, "lookup")} since this process is watched, ${duration(total.seconds * 1_000)}`
        : "",
    );
  }
}

interface Tile {
  readonly title: string;
  readonly value: (counts: LiveCounts) => number;
  readonly text: (value: number) => string;
}

const perSecond = (value: number) => `${rate(value)}/s`;

const TILES: readonly Tile[] = [
  { title: "Calls", value: ({ calls }) => calls, text: perSecond },
  { title: "Loads", value: ({ loads }) => loads, text: perSecond },
  { title: "Round trips", value: ({ roundTrips }) => roundTrips, text: perSecond },
  { title: "Near hits", value: ({ nearHits }) => nearHits, text: perSecond },
  { title: "HTTP requests", value: ({ requests }) => requests, text: perSecond },
  { title: "Errors", value: ({ errors }) => errors, text: perSecond },
  { title: "Waiters", value: ({ waiters }) => waiters, text: count },
  { title: "Loading saved", value: ({ savedMs }) => savedMs, text: (ms) => `${rate(ms / 1_000)} s/s` },
];

/** A figure of the last second, with a line of the last minute. */
class TileView {
  readonly #tile: Tile;
  readonly #value = h("b", {}, NONE);
  readonly #line = svg("polyline", { fill: "none", points: "" });
  readonly element: HTMLElement;

  constructor(tile: Tile) {
    this.#tile = tile;
    const spark = svg(
      "svg",
      { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" },
      this.#line,
    );
    this.element = h("div", { class: "tile" }, h("span", {}, tile.title), this.#value, spark);
  }

  show(history: History): void {
    const values = history.last(SPARK_SECONDS, this.#tile.value);
    const newest = values.at(-1);
    setText(this.#value, newest === undefined ? NONE : this.#tile.text(newest));
    const top = Math.max(1, ...values);
    const start = SPARK_SECONDS - values.length;
    const points = values.map(
      (value, index) =>
        `${(((start + index) / (SPARK_SECONDS - 1)) * 100).toFixed(1)},${(22 - (value / top) * 20).toFixed(1)}`,
    );
    this.#line.setAttribute("points", points.join(" "));
  }
}

const LATENCY_COLUMNS: readonly Column[] = [
  { title: "What", isName: true },
  { title: "Median", isFigure: true },
  { title: "p99", isFigure: true },
  { title: "Maximum", isFigure: true },
  { title: "Count", isFigure: true },
];

class Latencies {
  readonly #table = table("Latencies of the last minute", LATENCY_COLUMNS);
  readonly element = this.#table.element;

  show({ roundTrip, load, wait }: ProcessLive): void {
    const rowOf = (name: string, { count: number, p50Ms, p99Ms, maxMs }: LiveLatency) =>
      row(LATENCY_COLUMNS, [
        name,
        ...(number === 0 ? [NONE, NONE, NONE] : [p50Ms, p99Ms, maxMs].map(latency)),
        count(number),
      ]);
    fill(
      this.#table.body,
      rowOf("Round trips", roundTrip),
      rowOf("Loaders", load),
      rowOf("Waits for another's load", wait),
    );
  }
}

type Fact = readonly [name: string, value: string];

/** Names and values that change. */
class Facts {
  readonly #list = h("dl", { class: "facts" });
  readonly element: HTMLElement;

  constructor(title: string) {
    this.element = card(title, this.#list);
  }

  show(facts: readonly Fact[]): void {
    const values = [...this.#list.querySelectorAll("dd")];
    if (values.length !== facts.length) {
      fill(
        this.#list,
        ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, data(value, { maxLength: 400 }))]),
      );
      return;
    }
    for (const [index, [name, value]] of facts.entries()) {
      const place = values[index];
      if (!place) continue;
      setText(place.previousElementSibling ?? place, name);
      if (place.firstElementChild instanceof HTMLElement) setData(place.firstElementChild, value, { maxLength: 400 });
    }
  }
}

const BREAKER_WORDS: Readonly<Record<ProcessLive["breaker"], string>> = {
  closed: "Closed: commands are sent to the store",
  open: "Open: the store has failed, and calls don't wait for it",
  "half-open": "Half open: one call is trying the store again",
  idle: "Idle: no command was sent yet",
};

function storeFacts({ breaker, lastError, total, now }: ProcessLive): Fact[] {
  return [
    ["Circuit breaker", BREAKER_WORDS[breaker]],
    ["Errors", `${count(now.errors)} in the last second, ${count(total.errors)} in all`],
    ["Failed calls", count(total.failed)],
    ["Failed loads", count(total.failedLoads)],
    ["Last error", lastError ?? "none"],
  ];
}

function nearFacts({ near, total }: ProcessLive): Fact[] {
  if (!near) return [["State", "This cache has none: each hit takes a round trip"]];
  return [
    ["Entries", count(near.entries)],
    ["Size", bytes(near.bytes)],
    ["Hears of changes by", near.invalidation],
    ["Connection", near.listening ? "It listens" : "It doesn't listen: nothing is answered from the process"],
    ["Answered without the store", counted(total.nearHits, "lookup")],
  ];
}

function watchFacts({ info, openedMs }: Feed, { dropped, fleet }: Live): Fact[] {
  return [
    ["Open for", duration(Date.now() - openedMs)],
    [
      "Events dropped",
      dropped === 0 ? "None" : `${count(dropped)}: this browser reads more slowly than they come, or they are too many`,
    ],
    [
      "Fleet",
      fleet ? counted(fleet.processes.length, "process", "processes") : "Not known while the store can't be reached",
    ],
    ["Client", info?.client ?? NONE],
    ["Codec", info?.codec ?? NONE],
    ["Library", info?.library ?? NONE],
  ];
}
