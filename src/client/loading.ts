import { LoaderTimeoutError, show } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { type Duration, toMs } from "../core/time.js";
import type { ClientContext, LoadOptions } from "./client.js";
import type { Loader, LoaderContext } from "./loader.js";

/** What a loader gave, for how long to keep it, and how long it took. */
export interface Loaded {
  readonly value: unknown;
  /** `null` for ever; `undefined` not at all. */
  readonly ttlMs: number | null | undefined;
  readonly durationMs: number;
}

/** One run of a loader. */
export interface Load {
  readonly key: string;
  readonly loader: Loader<unknown>;
  readonly stale: unknown;
  readonly options: LoadOptions;
  /** Made when asked for: most loaders don't. */
  readonly signal: () => AbortSignal;
}

/** Runs a loader once. @throws what it throws @throws {LoaderTimeoutError} when it takes too long */
export async function load(context: Pick<ClientContext, "clock" | "events">, run: Load): Promise<Loaded> {
  const { clock, events } = context;
  const { key, options } = run;
  const startedMs = clock.now();
  const done = (failed: boolean): number => {
    const durationMs = Math.max(0, clock.now() - startedMs);
    events.emit("load", () => ({ key, durationMs, failed }));
    return durationMs;
  };
  const gaveUp = new AbortController();
  const told = new Told(run.stale, options.ttlMs, () => AbortSignal.any([gaveUp.signal, run.signal()]));
  let value: unknown;
  try {
    const hardTimeoutMs = options.hardTimeoutMs ?? Infinity;
    value = await (hardTimeoutMs === Infinity ? run.loader(told) : bounded(run, told, clock, hardTimeoutMs, gaveUp));
  } catch (error) {
    done(true);
    throw error;
  }
  const durationMs = done(false);
  const { ttlMs } = told;
  const stored = value !== undefined && ttlMs !== undefined && (ttlMs === null || ttlMs > 0);
  return { value, ttlMs: stored ? ttlMs : undefined, durationMs };
}

/** The loader's answer, or an error when it takes longer; then its signal fires, too. */
async function bounded(
  { loader, key }: Load,
  told: Told,
  clock: Clock,
  ms: number,
  gaveUp: AbortController,
): Promise<unknown> {
  const settled = new AbortController();
  const late = clock.sleep(ms, settled.signal).then(() => {
    if (settled.signal.aborted) return undefined;
    const error = new LoaderTimeoutError(
      `key ${show(key)}: the loader gave nothing within ${ms} ms; make it faster, or raise hardTimeout`,
    );
    gaveUp.abort(error);
    throw error;
  });
  try {
    return await Promise.race([loader(told), late]);
  } finally {
    settled.abort();
  }
}

class Told implements LoaderContext {
  readonly stale: unknown;
  ttlMs: number | null | undefined;
  readonly #signal: () => AbortSignal;

  constructor(stale: unknown, ttlMs: number | null, signal: () => AbortSignal) {
    this.stale = stale;
    this.ttlMs = ttlMs;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal();
  }

  ttl(ttl: Duration | null): void {
    this.ttlMs = ttl === null ? null : toMs(ttl, "ttl");
  }

  doNotStore(): void {
    this.ttlMs = undefined;
  }
}
