import uPlot from "uplot";
import { fill, h, setText } from "./dom.js";
import { clockTime, count, NONE, percent, rate } from "./format.js";
import { type Columns, HISTORY_SECONDS, type SeriesName } from "./history.js";
import { type Column, row, table } from "./parts.js";
import { onSchemeChange } from "./preferences.js";

interface Series {
  readonly name: SeriesName;
  readonly label: string;
  /** The name of a custom property of the style. */
  readonly colour: string;
  /** Lines differ in more than their colour. */
  readonly dash?: number[];
}

const SERIES: readonly Series[] = [
  { name: "hits", label: "Hits", colour: "--hit" },
  { name: "stale", label: "Stale", colour: "--stale", dash: [6, 3] },
  { name: "misses", label: "Misses", colour: "--miss", dash: [2, 3] },
  { name: "loads", label: "Loads", colour: "--load", dash: [10, 3, 2, 3] },
];

const RATES_HEIGHT = 230;
const RATIO_HEIGHT = 96;
/** Wide enough for "1.2M", on both charts, so that their times are above each other. */
const AXIS_WIDTH = 48;

/** What happened in each second of the last minutes: two charts, a legend with the newest figures, and a table. */
export class Chart {
  readonly element: HTMLElement;
  readonly #rates = h("div", { class: "plot" });
  readonly #ratio = h("div", { class: "plot" });
  readonly #picture = h("div", { role: "img" }, this.#rates, h("p", { class: "plot-title" }, "Hit ratio"), this.#ratio);
  readonly #figures = SERIES.map(({ name, label }) => ({ name, label, value: h("b", {}, NONE) }));
  readonly #rows: HTMLElement;
  readonly #details: HTMLDetailsElement;
  readonly #sizes = new ResizeObserver(() => this.#resize());
  readonly #endOfSchemes = onSchemeChange(() => this.#draw());
  #plots: uPlot[] = [];
  #columns: Columns | undefined;

  constructor() {
    const legend = this.#figures.map(({ name, label, value }) =>
      h(
        "span",
        { class: "legend", "data-series": name },
        h("span", { class: "swatch", "aria-hidden": true }),
        label,
        " ",
        value,
      ),
    );
    const minutes = table("Counts by minute", MINUTE_COLUMNS);
    this.#rows = minutes.body;
    this.#details = h(
      "details",
      { ontoggle: () => this.#showMinutes() },
      h("summary", {}, "As a table"),
      minutes.element,
    );
    this.element = h("div", { class: "chart" }, h("p", { class: "legends" }, ...legend), this.#picture, this.#details);
    this.#sizes.observe(this.element);
  }

  show(columns: Columns): void {
    this.#columns = columns;
    for (const { name, value } of this.#figures) {
      const newest = columns[name].at(-1);
      setText(value, newest === undefined || newest === null ? NONE : `${rate(newest)}/s`);
    }
    this.#picture.setAttribute("aria-label", summary(columns));
    this.#showMinutes();
    if (this.#plots.length === 0) this.#draw();
    const [rates, ratio] = dataOf(columns);
    this.#plots[0]?.setData(rates);
    this.#plots[1]?.setData(ratio);
  }

  end(): void {
    this.#sizes.disconnect();
    this.#endOfSchemes();
    for (const plot of this.#plots) plot.destroy();
  }

  #draw(): void {
    for (const plot of this.#plots) plot.destroy();
    this.#plots = [];
    const width = this.#rates.clientWidth;
    if (!this.#columns || width === 0) return;
    const [rates, ratio] = dataOf(this.#columns);
    const colours = coloursOf(this.element);
    this.#plots = [
      new uPlot(ratesOptions(width, colours), rates, this.#rates),
      new uPlot(ratioOptions(width, colours), ratio, this.#ratio),
    ];
  }

  #resize(): void {
    const width = this.#rates.clientWidth;
    if (this.#plots.length === 0) this.#draw();
    this.#plots[0]?.setSize({ width, height: RATES_HEIGHT });
    this.#plots[1]?.setSize({ width, height: RATIO_HEIGHT });
  }

  #showMinutes(): void {
    if (!this.#details.open || !this.#columns) return;
    fill(this.#rows, ...minutesOf(this.#columns).map((minute) => row(MINUTE_COLUMNS, minute)));
  }
}

const MINUTE_COLUMNS: readonly Column[] = [
  { title: "Minute", isName: true },
  ...SERIES.map(({ label }) => ({ title: label, isFigure: true })),
  { title: "Hit ratio", isFigure: true },
];

function minutesOf(columns: Columns): string[][] {
  const byMinute = new Map<number, Record<SeriesName, number>>();
  for (const [index, second] of columns.seconds.entries()) {
    const minute = Math.floor(second / 60);
    const sums = byMinute.get(minute) ?? { hits: 0, stale: 0, misses: 0, loads: 0 };
    for (const { name } of SERIES) sums[name] += columns[name][index] ?? 0;
    byMinute.set(minute, sums);
  }
  return [...byMinute]
    .reverse()
    .map(([minute, sums]) => [
      clockTime(minute * 60_000).slice(0, 5),
      ...SERIES.map(({ name }) => count(sums[name])),
      percent(ratioOf(sums.hits + sums.stale, sums.misses)),
    ]);
}

function ratioOf(answered: number, misses: number): number | undefined {
  return answered + misses === 0 ? undefined : answered / (answered + misses);
}

function ratios({ hits, stale, misses }: Columns): (number | null)[] {
  return hits.map((value, index) => ratioOf((value ?? 0) + (stale[index] ?? 0), misses[index] ?? 0) ?? null);
}

/** The charts in words. */
function summary(columns: Columns): string {
  const known = ratios(columns).filter((ratio) => ratio !== null);
  if (known.length === 0) return "Rates and hit ratio of the last 15 minutes: no lookups yet";
  const rates = SERIES.map(({ name, label }) => {
    const values = columns[name].filter((value) => value !== null);
    return `${label.toLowerCase()} ${rate(values.at(-1) ?? 0)} per second, at most ${rate(Math.max(...values))}`;
  });
  const range = `from ${percent(Math.min(...known))} to ${percent(Math.max(...known))}`;
  return `The last 15 minutes: hit ratio ${percent(known.at(-1))}, ${range}; ${rates.join("; ")}`;
}

function dataOf(columns: Columns): [uPlot.AlignedData, uPlot.AlignedData] {
  const seconds = [...columns.seconds];
  return [
    [seconds, ...SERIES.map(({ name }) => [...columns[name]])],
    [seconds, ratios(columns).map((ratio) => (ratio === null ? null : ratio * 100))],
  ];
}

interface Colours {
  readonly of: (property: string) => string;
}

/** A canvas needs colours, not custom properties: an element that has them resolves them. */
function coloursOf(parent: HTMLElement): Colours {
  const probe = h("span", { hidden: true });
  parent.append(probe);
  const known = new Map(
    ["--hit", "--stale", "--miss", "--load", "--muted", "--line"].map((property) => {
      probe.style.color = `var(${property})`;
      return [property, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return { of: (property) => known.get(property) ?? "gray" };
}

function ratesOptions(width: number, colours: Colours): uPlot.Options {
  const series = SERIES.map(({ label, colour, dash }, index) => ({
    label,
    stroke: colours.of(colour),
    width: 1.5,
    ...(dash && { dash }),
    ...(index === 0 && { fill: colours.of(colour).replace(/^rgb\((.*)\)$/, "rgba($1, 0.12)") }),
    points: { show: false },
  }));
  return {
    ...common(width, RATES_HEIGHT),
    series: [{}, ...series],
    scales: { x: { time: true, range: timeRange }, y: { range: (_plot, _min, max) => [0, niceTop(max)] } },
    axes: [timeAxis(colours), { ...axis(colours), size: AXIS_WIDTH, values: (_plot, splits) => splits.map(rateLabel) }],
  };
}

function ratioOptions(width: number, colours: Colours): uPlot.Options {
  const stroke = colours.of("--hit");
  const fillColour = stroke.replace(/^rgb\((.*)\)$/, "rgba($1, 0.18)");
  return {
    ...common(width, RATIO_HEIGHT),
    // Half a label is below the lowest line.
    padding: [10, 8, 8, 0],
    series: [{}, { label: "Hit ratio", stroke, width: 1.5, fill: fillColour, points: { show: false } }],
    scales: { x: { time: true, range: timeRange }, y: { range: [0, 100] } },
    axes: [
      { ...timeAxis(colours), show: false },
      {
        ...axis(colours),
        size: AXIS_WIDTH,
        splits: [0, 50, 100],
        values: (_plot, splits) => splits.map((value) => `${value} %`),
      },
    ],
  };
}

function common(width: number, height: number) {
  return {
    width,
    height,
    legend: { show: false },
    padding: [10, 8, 0, 0] as uPlot.Padding,
    // One cursor over both.
    cursor: { sync: { key: "time" }, drag: { x: false, y: false }, points: { size: 6 } },
  };
}

function axis(colours: Colours) {
  return {
    stroke: colours.of("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colours.of("--line"), width: 1 },
    ticks: { show: false },
  };
}

function timeAxis(colours: Colours): uPlot.Axis {
  return {
    ...axis(colours),
    space: 70,
    size: 30,
    values: (_plot, splits) =>
      splits.map((second) =>
        clockTime(second * 1_000).slice(0, splits.length > 1 && (splits[1] ?? 0) - (splits[0] ?? 0) < 60 ? 8 : 5),
      ),
  };
}

/** The newest second is at the right; a short history is not stretched to the whole width. */
function timeRange(_plot: uPlot, min: number, max: number): [number, number] {
  return [Math.max(max - HISTORY_SECONDS, Math.min(min, max - 60)), max];
}

function niceTop(max: number | null): number {
  return Math.max(4, (max ?? 0) * 1.1);
}

function rateLabel(value: number): string {
  return Number.isInteger(value) ? count(value) : "";
}
