import type { LiveCounts } from "../api.js";

/** How much the charts show. */
export const HISTORY_SECONDS = 15 * 60;

const NAMES = ["hits", "stale", "misses", "loads"] as const;

export type SeriesName = (typeof NAMES)[number];

/** Columns of one length, as the charts want them: seconds since the epoch, and counts. `null`: nothing was heard then. */
export interface Columns extends Readonly<Record<SeriesName, readonly (number | null)[]>> {
  readonly seconds: readonly number[];
}

/** The counts of the last minutes, one for each second that was heard. */
export class History {
  #samples: { second: number; counts: LiveCounts | undefined }[] = [];

  add(atMs: number, counts: LiveCounts): void {
    const second = Math.round(atMs / 1_000);
    const last = this.#samples.at(-1)?.second;
    if (last !== undefined && second < last) this.#samples = [];
    // A gap breaks the lines of a chart.
    if (last !== undefined && second > last + 3) this.#samples.push({ second: last + 1, counts: undefined });
    this.#samples.push({ second, counts });
    const first = second - HISTORY_SECONDS;
    while (this.#samples[0] && this.#samples[0].second < first) this.#samples.shift();
  }

  columns(): Columns {
    const column = (name: SeriesName) => this.#samples.map(({ counts }) => counts?.[name] ?? null);
    return {
      seconds: this.#samples.map(({ second }) => second),
      hits: column("hits"),
      stale: column("stale"),
      misses: column("misses"),
      loads: column("loads"),
    };
  }

  /** The values of the last seconds, the oldest first. */
  last(seconds: number, value: (counts: LiveCounts) => number): number[] {
    return this.#within(seconds).map(value);
  }

  /** What the cache has answered of all lookups of the last seconds; `undefined` where there was none. */
  hitRatio(seconds: number): number | undefined {
    const sum = { answered: 0, all: 0 };
    for (const counts of this.#within(seconds)) {
      sum.answered += counts.hits + counts.stale;
      sum.all += counts.hits + counts.stale + counts.misses;
    }
    return sum.all === 0 ? undefined : sum.answered / sum.all;
  }

  #within(seconds: number): LiveCounts[] {
    const from = (this.#samples.at(-1)?.second ?? 0) - seconds;
    return this.#samples.flatMap(({ second, counts }) => (counts && second > from ? [counts] : []));
  }
}

/** `undefined` where nothing was looked up. */
export function hitRatio({ hits, stale, misses }: Pick<LiveCounts, "hits" | "stale" | "misses">): number | undefined {
  const all = hits + stale + misses;
  return all === 0 ? undefined : (hits + stale) / all;
}
