import type { FleetLive, Live, LiveCounts } from "../../api.js";
import { fill, h, KeyedList, setText } from "../dom.js";
import { count, counted, duration, NONE, percent, rate } from "../format.js";
import { HerdPicture } from "../herd-picture.js";
import { hitRatio } from "../history.js";
import { type Column, card, empty, heading, keyLink, row, table } from "../parts.js";
import { data } from "../text.js";
import type { Context, View } from "../view.js";

export function herdView({ feed }: Context): View {
  const picture = new HerdPicture();
  const figures = new HerdFigures();
  const leases = new Leases();
  const fleet = new Fleet();
  const client = h("div");
  const element = h(
    "div",
    { class: "stack" },
    heading("Herd"),
    h(
      "p",
      { class: "lead" },
      "When a value is missing, one caller of the fleet takes the lease on it and loads. The others wait for its value, or are answered with the stale one.",
    ),
    client,
    picture.element,
    figures.element,
    card("Leases held now", leases.element),
    card("Processes of the fleet", fleet.element),
  );
  return {
    title: "Herd",
    element,
    update() {
      const { live, info } = feed;
      if (!live) return;
      fill(client, info?.client === "default" && withoutHerd());
      const counts = live.fleet?.now ?? live.process.now;
      const load = live.process.load;
      picture.show(
        counts,
        live.fleet ? counted(live.fleet.processes.length, "process", "processes") : "this process",
        load,
      );
      figures.show(live);
      leases.show(leasesOf(live), feed.now());
      fleet.show(live.fleet, info?.processId);
    },
    end: () => undefined,
  };
}

function withoutHerd(): HTMLElement {
  return h(
    "div",
    { class: "notice", "data-tone": "info" },
    h("p", { class: "notice-title" }, "This cache has no leases"),
    h(
      "p",
      {},
      "It uses the default client: callers of one process share a load, and each process loads for itself. Create the cache with ",
      h("code", {}, "client: herd()"),
      " to share loads in the whole fleet.",
    ),
  );
}

interface Figure {
  readonly title: string;
  readonly hint: string;
  readonly text: (counts: LiveCounts & { seconds?: number }) => string;
}

const FIGURES: readonly Figure[] = [
  { title: "Leases held", hint: "loads that are under way", text: ({ leasesHeld }) => count(leasesHeld) },
  { title: "Waiters", hint: "callers that wait for them", text: ({ waiters }) => count(waiters) },
  { title: "Stale served", hint: "answered while another caller loads", text: ({ stale }) => count(stale) },
  { title: "Loading saved", hint: "how long the loads of all hits took", text: ({ savedMs }) => duration(savedMs) },
];

const FIGURE_COLUMNS: readonly Column[] = [
  { title: "Of", isName: true },
  ...FIGURES.map(({ title }) => ({ title, isFigure: true })),
];

/** Of this process and of the fleet, now and since they are watched. */
class HerdFigures {
  readonly #table = table("Figures of the herd", FIGURE_COLUMNS);
  readonly element = card(
    "Of this process, and of the fleet",
    this.#table.element,
    h(
      "p",
      { class: "muted" },
      FIGURES.map(({ title, hint }) => `${title}: ${hint}`)
        .join(". ")
        .concat("."),
    ),
  );

  show({ process, fleet }: Live): void {
    const rowOf = (name: string, counts: (LiveCounts & { seconds?: number }) | undefined) =>
      row(FIGURE_COLUMNS, [name, ...FIGURES.map(({ text }) => (counts ? text(counts) : NONE))]);
    fill(
      this.#table.body,
      rowOf("This process, last second", process.now),
      rowOf("The fleet, last second", fleet?.now),
      rowOf(`This process, last ${duration(process.total.seconds * 1_000)}`, process.total),
    );
  }
}

interface Lease {
  readonly key: string;
  readonly sinceMs: number;
  /** `undefined` while the store can't be reached: it is this one. */
  readonly process: string | undefined;
}

function leasesOf({ process, fleet }: Live): readonly Lease[] {
  return fleet?.leases ?? process.leases.map((lease) => ({ ...lease, process: undefined }));
}

const LEASE_COLUMNS: readonly Column[] = [
  { title: "Key", isName: true },
  { title: "Process" },
  { title: "Held for", isFigure: true },
];

class Leases {
  readonly #table = table("Leases held now", LEASE_COLUMNS);
  readonly #none = empty("No lease is held", "Nothing is being loaded under a lease right now.");
  readonly element = h("div", {}, this.#none, this.#table.element);
  #now = 0;
  readonly #list = new KeyedList<Lease>(
    this.#table.body,
    ({ key, process }) => JSON.stringify([process, key]),
    (lease) => {
      const age = h("span");
      const element = row(LEASE_COLUMNS, [
        keyLink(lease.key),
        lease.process === undefined ? "this one" : data(lease.process),
        age,
      ]);
      return { element, update: ({ sinceMs }) => setText(age, duration(this.#now - sinceMs)) };
    },
  );

  show(leases: readonly Lease[], now: number): void {
    this.#now = now;
    this.#none.hidden = leases.length > 0;
    this.#table.element.hidden = leases.length === 0;
    this.#list.show(leases);
  }
}

const FLEET_COLUMNS: readonly Column[] = [
  { title: "Process", isName: true },
  { title: "Calls/s", isFigure: true },
  { title: "Hit ratio", isFigure: true },
  { title: "Loads/s", isFigure: true },
  { title: "Leases", isFigure: true },
  { title: "Waiters", isFigure: true },
  { title: "Near entries", isFigure: true },
  { title: "Breaker" },
];

class Fleet {
  readonly #table = table("Processes of the fleet", FLEET_COLUMNS);
  readonly #none = h("div");
  readonly element = h("div", {}, this.#none, this.#table.element);

  show(fleet: FleetLive | undefined, own: string | undefined): void {
    this.#table.element.hidden = !fleet || fleet.processes.length === 0;
    fill(this.#none, this.#table.element.hidden && noFleet(fleet));
    const rows = fleet?.processes.map(({ id, host, now, breaker, nearEntries }) =>
      row(FLEET_COLUMNS, [
        h(
          "span",
          {},
          data(`${host} · ${id}`, { maxLength: 80 }),
          id === own && h("span", { class: "badge", "data-tone": "info" }, "this one"),
        ),
        rate(now.calls),
        percent(hitRatio(now)),
        rate(now.loads),
        count(now.leasesHeld),
        count(now.waiters),
        nearEntries === undefined ? NONE : count(nearEntries),
        data(breaker),
      ]),
    );
    fill(this.#table.body, ...(rows ?? []));
  }
}

function noFleet(fleet: FleetLive | undefined): HTMLElement {
  if (fleet) return empty("No process has reported yet", "Processes look every few seconds whether they are watched.");
  return empty("The fleet isn't known", "Processes report through the store, and it can't be reached.");
}
