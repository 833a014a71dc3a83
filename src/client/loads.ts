import type { Encoded } from "../codec/envelope.js";
import { BATCH_SIZE, inTurns, nextTurn } from "../core/async.js";
import { DecodeError } from "../core/errors.js";
import type { CacheCall } from "../core/events.js";
import { Background } from "./background.js";
import type { Pair, WriteManyOptions } from "./bulk-writes.js";
import type { ClientContext, Loader, LoadOptions, ManyLoader } from "./client.js";
import { asHit, type Load, type Loaded } from "./loading.js";
import { tolerate } from "./refusals.js";
import type { Shared } from "./single-flight.js";
import { readLog, tagLoaded } from "./tagged-entries.js";

/** What loads use of the default client. */
export interface LoadsParts {
  readonly context: ClientContext;
  /** The values of keys, `undefined` where there is none that is fresh. The payloads of stale ones are added to `stale`. */
  read(keys: readonly string[], stale: Map<string, Encoded>, call: CacheCall | undefined): Promise<unknown[]>;
  load(method: string, loader: Loader<unknown>, options: LoadOptions, run: RunOptions): Promise<Loaded>;
  write(
    pairs: readonly Pair[],
    encoded: readonly Encoded[],
    options: Omit<WriteManyOptions, "wrap">,
  ): Promise<string[]>;
  delete(keys: readonly string[]): Promise<number>;
}

/** How a loader runs, beside what the call says. */
export type RunOptions = Pick<Load, "keys" | "stale" | "background"> & {
  readonly signal: () => AbortSignal | undefined;
};

/** A load of several keys. */
interface Run {
  readonly method: string;
  readonly keys: readonly string[];
  readonly loader: ManyLoader;
  readonly options: LoadOptions;
}

/** The key that events and reports have beside the method; empty where the method is given several. */
export function keyOf(method: string, keys: readonly string[]): string {
  return method === "getOrSet" ? (keys[0] ?? "") : "";
}

/** Loads of the default client that have several keys, or no caller that waits. */
export class Loads {
  readonly #parts: LoadsParts;
  readonly #background: Background;

  constructor(parts: LoadsParts) {
    this.#parts = parts;
    this.#background = new Background(parts.context);
  }

  /** What is stored, and what the loader returns for the other keys. Stale values are answered, and loaded again. */
  async answer(
    keys: readonly string[],
    loader: ManyLoader,
    options: LoadOptions,
    shared: Shared,
  ): Promise<Map<string, unknown>> {
    const { context } = this.#parts;
    const { call } = options;
    const method = "getOrSetMany";
    const values = new Map<string, unknown>();
    let missing: string[] = [];
    let isStorable = true;
    if (options.tags) await context.tags.meet();
    if (options.forceRefresh) {
      missing = [...keys];
      await readLog(context)?.done;
    } else {
      try {
        missing = await this.#find({ method, keys, loader, options }, values);
      } catch (error) {
        tolerate(context, error, method, "");
        isStorable = error instanceof DecodeError;
        missing = [...keys];
      }
    }
    call?.miss(missing.length);
    if (missing.length === 0) return values;
    const run = { method, keys: missing, loader, options };
    const loaded = await this.#load(run, isStorable, { stale: undefined, signal: () => shared.signal() });
    await inTurns([...loaded], ([key, value]) => void values.set(key, value));
    return values;
  }

  /** Loads stale entries again, except those that another call of this process is loading. No caller waits for it. */
  refresh(stale: ReadonlyMap<string, Encoded>, { method, loader, options }: Omit<Run, "keys">): void {
    const { context } = this.#parts;
    const releases: (() => void)[] = [];
    const keys: string[] = [];
    for (const key of stale.keys()) {
      const release = context.sharing.startRefresh(key);
      if (!release) continue;
      keys.push(key);
      releases.push(release);
    }
    if (keys.length === 0) return;
    const key = keyOf(method, keys);
    const origin = { method, key };
    const begin = context.events.begin("refresh", () => ({ kind: "refresh", ...origin }));
    const load = async (): Promise<unknown> => {
      const payload = method === "getOrSet" ? stale.get(key) : undefined;
      // A copy for the loader: the caller has the other one and may change it.
      const old = payload === undefined ? undefined : await context.codec.decode(payload, key);
      const run = { method, keys, loader, options: { ...options, call: undefined } };
      return this.#load(run, true, { stale: old, background: true, signal: () => undefined });
    };
    const release = (): void => {
      for (const end of releases) end();
    };
    void this.#background.run(() => begin(load), origin, release);
  }

  /** Resolves when no load is under way in the background. */
  ended(): Promise<void> {
    return this.#background.ended();
  }

  /** Adds what is stored to `values`. @returns the keys of which nothing is */
  async #find(run: Run, values: Map<string, unknown>): Promise<string[]> {
    const { codec } = this.#parts.context;
    const { keys, options } = run;
    const { call } = options;
    const missing: string[] = [];
    const stale = new Map<string, Encoded>();
    const read = await this.#parts.read(keys, stale, call);
    await inTurns(keys, (key, i) => {
      if (read[i] !== undefined) values.set(key, read[i]);
      else if (!stale.has(key)) missing.push(key);
    });
    call?.hit(values.size);
    for (const [key, payload] of stale) {
      values.set(key, await codec.decode(payload, key));
      call?.found(payload.length, 0);
      call?.foundStale();
    }
    this.refresh(stale, run);
    return missing;
  }

  /** The loaded values, as hits give them. They are stored, and entries that have no value any more are deleted. */
  async #load(
    { method, keys, loader, options }: Run,
    isStorable: boolean,
    run: RunOptions,
  ): Promise<Map<string, unknown>> {
    const { context, load } = this.#parts;
    const values = new Map<string, unknown>();
    const watch = context.sharing.watch(keys);
    try {
      const { value, ttlMs, tagsOf, stamp } = await load(method, (given) => loader(keys, given), options, {
        ...run,
        keys,
      });
      const all = value as ReadonlyMap<string, unknown>;
      const loaded = [...all].filter(([, one]) => one !== undefined);
      const isStored = isStorable && ttlMs !== undefined;
      const encoded = isStored ? await context.codec.encodeAll(loaded) : [];
      const payloads =
        tagsOf && isStored ? await tagLoaded(context, loaded, encoded, { method, tagsOf, stamp }) : encoded;
      const replaces = run.background === true || options.forceRefresh === true;
      const gone = replaces ? keys.filter((key) => all.get(key) === undefined && watch.current.has(key)) : [];
      try {
        if (gone.length > 0) await this.#parts.delete(gone);
        if (isStored && payloads) await this.#store(method, loaded, payloads, ttlMs, watch.current, options.call);
      } catch (error) {
        // A store error neither fails the caller nor is lost.
        tolerate(context, error, method, keyOf(method, keys));
      }
      for (const [i, [key, one]] of loaded.entries()) {
        if (i > 0 && i % BATCH_SIZE === 0) await nextTurn();
        values.set(key, await asHit(context.codec, { value: one, encoded: encoded[i] }, key));
      }
      return values;
    } finally {
      watch.end();
    }
  }

  /** Writes loaded values, but none whose key was written or deleted in this process meanwhile, as it may be older than that. */
  async #store(
    method: string,
    loaded: readonly Pair[],
    encoded: readonly Encoded[],
    ttlMs: number | null,
    only: ReadonlySet<string>,
    call: CacheCall | undefined,
  ): Promise<void> {
    const failed = await this.#parts.write(loaded, encoded, { ttlMs, method, only, call });
    if (call) return;
    const bytes = encoded.reduce((sum, { length }) => sum + length, 0);
    const count = loaded.length - failed.length;
    const keys = loaded.map(([key]) => key);
    this.#parts.context.events.emit("set", () => ({ method, key: keyOf(method, keys), count, bytes }));
  }
}
