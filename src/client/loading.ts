import type { Codec } from "../codec/codec.js";
import type { Encoded } from "../codec/envelope.js";
import { NO_STAMP } from "../codec/tagged.js";
import { chain, type MaybePromise, runInLoad } from "../core/async.js";
import { LoaderTimeoutError, show } from "../core/errors.js";
import { markLoaderError } from "../core/events.js";
import { type Clock, type Duration, toMs } from "../core/time.js";
import type { Stamp } from "../tags/purge-log.js";
import { toTags } from "../tags/tags.js";
import type { ClientContext, Loader, LoaderContext, LoadOptions, TagsOf } from "./client.js";

/** A loader's value, its lifetime, and how long the loader took. */
export interface Loaded {
  /** The one that has called the loader. */
  readonly method: string;
  readonly value: unknown;
  /** `null` never expires; `undefined` is not stored. */
  readonly ttlMs: number | null | undefined;
  readonly durationMs: number;
  /** The tags of the value, or of one of several; absent where none were given. @throws TypeError on wrong tags */
  readonly tagsOf?: TagsOf | undefined;
  /** @internal Where the purge log was before the loader was called, as far as this process has read it. */
  readonly stamp?: Stamp | undefined;
}

/** One run of a loader. */
export interface Load {
  readonly method: string;
  readonly key: string;
  /** No caller waits for it. @default false */
  readonly background?: boolean;
  /** All keys, where it loads several. @default [key] */
  readonly keys?: readonly string[];
  readonly loader: Loader<unknown>;
  readonly stale: unknown;
  readonly options: LoadOptions;
  /** Called only if the loader reads its signal, which most do not. */
  readonly signal: () => AbortSignal;
}

type LoadContext = Pick<ClientContext, "clock" | "events" | "sharing" | "tags" | "unordered" | "report">;

/**
 * @internal Runs a loader once.
 * @param defaultTimeoutMs the hard timeout of calls without one
 * @throws what the loader throws
 * @throws {LoaderTimeoutError} at the hard timeout
 */
export async function load(context: LoadContext, run: Load, defaultTimeoutMs = Infinity): Promise<Loaded> {
  const { clock, events } = context;
  const { method, key, keys = [key], background = false, options } = run;
  const count = keys.length;
  const startedMs = clock.now();
  const done = (failed: boolean): number => {
    const durationMs = Math.max(0, clock.now() - startedMs);
    events.emit("load", () => ({ method, key, count, durationMs, failed, background }));
    return durationMs;
  };
  const gaveUp = new AbortController();
  const { met } = context.tags;
  const notBegun = (error: unknown): Stamp => {
    context.report(error, method, key);
    return NO_STAMP;
  };
  // Where there is no log, another process may begin it while the load runs, purge, and lose it.
  const isToBegin = options.tags && met?.isAbsent;
  const stamp = isToBegin ? await met.begin(context.unordered).catch(notBegun) : met?.stamp;
  const loaderContext = new Context(run.stale, options.ttlMs, () => AbortSignal.any([gaveUp.signal, run.signal()]));
  let value: unknown;
  try {
    const hardTimeoutMs = options.hardTimeoutMs ?? defaultTimeoutMs;
    const work = async (): Promise<unknown> =>
      hardTimeoutMs === Infinity
        ? run.loader(loaderContext)
        : bounded(run, loaderContext, clock, hardTimeoutMs, gaveUp);
    value = await events.begin("load", () => ({ kind: "load", method, key, count }))(() =>
      runInLoad({ owner: context.sharing, keys }, work),
    );
  } catch (error) {
    markLoaderError(error);
    done(true);
    throw error;
  }
  const durationMs = done(false);
  const { ttlMs, given } = loaderContext;
  const tagsOf: TagsOf | undefined = given.length > 0 ? withGiven(options.tags, given) : options.tags;
  const stored = value !== undefined && ttlMs !== undefined && (ttlMs === null || ttlMs > 0);
  return { method, value, ttlMs: stored ? ttlMs : undefined, durationMs, tagsOf, stamp };
}

/** The call's tags, and those that the loader has given. */
function withGiven(tagsOf: TagsOf | undefined, given: readonly string[]): TagsOf {
  return (value, key) => toTags([...(tagsOf?.(value, key) ?? []), ...given], "tags");
}

/**
 * A loaded value as a hit gives it, and a copy for one caller: what the codec restores. So the first answer has the types of
 * all later ones. A value that could not be stored, or not be read again, is answered as it is. Never rejects.
 * @param answer `encoded` is the value's stored form, where it is stored
 */
export function asHit(
  codec: Codec,
  { value, encoded }: { readonly value: unknown; readonly encoded: Encoded | undefined },
  key: string,
): MaybePromise<unknown> {
  if (encoded === undefined && (typeof value !== "object" || value === null)) return value;
  try {
    const decoded = chain(encoded ?? codec.encode(value, key), (stored) => codec.decode(stored, key));
    return decoded instanceof Promise ? decoded.catch(() => value) : decoded;
  } catch {
    return value;
  }
}

/** The loader's value. At the timeout it rejects and fires the loader's signal. */
async function bounded(
  { loader, key }: Load,
  context: Context,
  clock: Clock,
  ms: number,
  gaveUp: AbortController,
): Promise<unknown> {
  const settled = new AbortController();
  const timeout = clock.sleep(ms, settled.signal).then(() => {
    if (settled.signal.aborted) return undefined;
    const error = new LoaderTimeoutError(
      `key ${show(key)}: the loader returned no value within ${ms} ms; make it faster, or raise hardTimeout`,
    );
    gaveUp.abort(error);
    throw error;
  });
  try {
    return await Promise.race([loader(context), timeout]);
  } finally {
    settled.abort();
  }
}

class Context implements LoaderContext {
  readonly stale: unknown;
  ttlMs: number | null | undefined;
  /** Tags. */
  readonly given: string[] = [];
  readonly #signal: () => AbortSignal;

  constructor(stale: unknown, ttlMs: number | null, signal: () => AbortSignal) {
    this.stale = stale;
    this.ttlMs = ttlMs;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal();
  }

  // Bound, so that loaders can destructure their context.
  readonly ttl = (ttl: Duration | null): void => {
    this.ttlMs = ttl === null ? null : toMs(ttl, "ttl");
  };

  readonly doNotStore = (): void => {
    this.ttlMs = undefined;
  };

  readonly tags = (...tags: readonly (string | readonly string[])[]): void => {
    this.given.push(...toTags(tags.flat(), "tags"));
  };
}
