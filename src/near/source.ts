/** What vouches for entries: the connection that hears of their changes. */
export interface Source {
  /** The latest moment, by `Elapsed`, of which is known that it has heard of all changes before. `Infinity` where entries need no such proof. */
  confirmedMs: number;
  /** Which near caches it hears for: those that had asked for it by then. */
  readonly generation: number;
  /** It hears of nothing any more, and may have missed changes. Never undone: a new connection is a new source. */
  isOver: boolean;
}

/** The source of entries without notifications of changes: their short lifetime bounds their age. */
export function unproved(): Source {
  return { confirmedMs: Number.POSITIVE_INFINITY, generation: Number.POSITIVE_INFINITY, isOver: false };
}

/** Whether changes that were made up to `maxStalenessMs` ago have been heard of. */
export function isTrusted(source: Source, nowMs: number, maxStalenessMs: number): boolean {
  return nowMs - source.confirmedMs < maxStalenessMs && !source.isOver;
}
