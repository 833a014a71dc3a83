import { inBatches, inTurns } from "../../core/async.js";
import type { SendOptions } from "../../core/connection.js";
import { Lease } from "../../lease/lease.js";
import { Wait } from "../../lease/wait.js";
import type { LogRead } from "../../tags/entry-tags.js";
import { within } from "../background.js";
import type { LoadOptions, ManyLoader } from "../client.js";
import { asHit, type Loaded, load } from "../loading.js";
import type { Shared } from "../single-flight.js";
import { readLog, untilRead } from "../tagged-entries.js";
import { type LeaseParts, Leases } from "./leases.js";
import { type Forced, Lookup, type Outcome, type Refreshable } from "./lookup.js";
import { failedLoad, next } from "./state.js";

export interface ManyParts extends LeaseParts {
  readonly reads: SendOptions;
  readonly loader: ManyLoader;
  readonly options: LoadOptions;
  readonly shared: Shared;
}

/** The keys of a call by their state after a lookup. */
class Batch {
  /** To be loaded and stored. */
  readonly leases: Lease[] = [];
  /** To be loaded, and not stored. */
  readonly alone: string[] = [];
  readonly waiting: string[] = [];
  readonly refreshing: Old[] = [];
}

/** A value that is answered and refreshed. */
type Old = Refreshable & { readonly key: string };

type Values = ReadonlyMap<string, unknown>;

/** One call of `getOrSetMany`. One round trip reads or claims all keys; one call of the loader computes all that were won. */
export class ManyLoad {
  readonly #parts: ManyParts;
  readonly #leases: Leases;
  readonly #lookup: Lookup;
  readonly #forced: Forced | undefined;
  readonly #values = new Map<string, unknown>();
  #restarts = 0;
  #hits = 0;

  constructor(parts: ManyParts) {
    this.#parts = parts;
    this.#forced = parts.options.forceRefresh ? new Set() : undefined;
    this.#leases = new Leases(parts);
    this.#lookup = new Lookup(parts, this.#leases, parts.reads);
  }

  /** @throws what the loader throws */
  async run(keys: readonly string[]): Promise<Map<string, unknown>> {
    const { context, settings, shared } = this.#parts;
    let wait: Wait | undefined;
    let left = keys;
    const { call } = this.#parts.options;
    for (;;) {
      const batch = await this.#find(left);
      const isFirst = left === keys;
      if (isFirst) {
        call?.hit(this.#hits);
        call?.miss(batch.leases.length + batch.alone.length + batch.waiting.length);
      }
      this.#emitWaits(wait, left, batch);
      await Promise.all([this.#fill(batch), this.#refresh(batch.refreshing, isFirst)]);
      if (batch.waiting.length === 0) break;
      wait ??= new Wait(context.clock, settings.waitMs);
      left = batch.waiting;
      const changes = context.connection.near?.changes(left);
      const waited = context.events.held.waiting(wait.next(shared.signal(), undefined, changes));
      const event = (await waited) ? "poll" : "timeout";
      if (next("Waiting", event) === "Lookup") continue;
      this.#emitWaits(wait, left, { waiting: [], alone: left });
      await this.#keep(await this.#load(left, []));
      break;
    }
    const found = new Map<string, unknown>();
    await inTurns(keys, (key) => void (this.#values.has(key) && found.set(key, this.#values.get(key))));
    return found;
  }

  /** Looks all keys up, in one round trip for each batch. @throws {ConfigurationError} after every lease that was won has been given up */
  async #find(keys: readonly string[]): Promise<Batch> {
    const batch = new Batch();
    await inBatches(keys, (some) => this.#findBatch(some, batch));
    return batch;
  }

  async #findBatch(keys: readonly string[], batch: Batch): Promise<void> {
    let reads: Awaited<ReturnType<Lookup["readOrClaim"]>>;
    let log: LogRead | undefined;
    try {
      const sent = this.#lookup.readOrClaim(keys);
      log = readLog(this.#parts.context);
      reads = await sent;
      await untilRead(log);
    } catch (error) {
      this.#lookup.tolerate(error, "");
      for (const key of keys) batch.alone.push(key);
      return;
    }
    const judging = keys.map(async (key, i) => {
      const read = reads[i];
      this.#sort(key, await this.#lookup.judge(key, { ...read, log }, this.#forced), batch);
    });
    const failed = (await Promise.allSettled(judging)).find(({ status }) => status === "rejected");
    if (failed?.status !== "rejected") return;
    await together(batch.leases, (lease) => this.#leases.yield(lease));
    throw failed.reason;
  }

  #sort(key: string, outcome: Outcome, batch: Batch): void {
    switch (outcome.state) {
      case "Answered":
        this.#values.set(key, outcome.value);
        this.#countHit(outcome.encoded.length, outcome.savedMs);
        return;
      case "Refreshing":
        this.#values.set(key, outcome.value);
        batch.refreshing.push({ key, ...outcome.old });
        return;
      case "Loading":
        batch.leases.push(outcome.lease);
        return;
      case "Waiting":
        batch.waiting.push(key);
        return;
      case "LoadingAlone":
        batch.alone.push(key);
    }
  }

  /** A value that was found at the first look, and not waited for. */
  #countHit(bytes: number, savedMs: number): void {
    const { call } = this.#parts.options;
    if (!call || call.isAnswered) return;
    this.#hits++;
    call.found(bytes, savedMs);
  }

  /** Loads the keys that were won, and those without a lease, in one call. @throws what the loader throws */
  async #fill({ leases, alone, waiting }: Batch): Promise<void> {
    if (leases.length === 0 && alone.length === 0) return;
    try {
      await this.#keep(await this.#load(alone, leases));
    } catch (error) {
      const isLost = alone.length === 0 && leases.every(({ isLost }) => isLost);
      const isAborted = this.#parts.shared.signal().aborted;
      const event = failedLoad({ isLost, isAborted, restarts: this.#restarts++ });
      if (next("Loading", event) === "Failed") throw error;
      for (const { key } of leases) waiting.push(key);
    }
  }

  /** Refreshes old values. A stale one is answered unless its refresh is waited for and succeeds. Never rejects. */
  async #refresh(old: readonly Old[], isFirst: boolean): Promise<void> {
    const { call } = this.#parts.options;
    const refreshed = await this.#startRefresh(old);
    if (refreshed) await this.#keep(refreshed);
    // A key that was waited for is recorded as a miss already.
    if (!isFirst) return;
    for (const { key, kind, payload, envelope } of old) {
      if (refreshed?.has(key)) {
        call?.miss();
        continue;
      }
      call?.found(payload.length, kind === "stale" ? 0 : envelope.deltaMs);
      if (kind === "stale") call?.foundStale();
      else call?.hit();
    }
  }

  /** Refreshes, with one load, the entries that no other caller refreshes. Never rejects. */
  async #startRefresh(old: readonly Old[]): Promise<Values | undefined> {
    const { context, settings, background, method, options } = this.#parts;
    const { clock, sharing } = context;
    const free: Old[] = [];
    const releases: (() => void)[] = [];
    for (const one of old) {
      const release = one.envelope.leaseUntilMs > clock.now() ? undefined : sharing.startRefresh(one.key);
      if (!release) continue;
      free.push(one);
      releases.push(release);
    }
    if (free.length === 0) return undefined;
    const release = (): void => {
      for (const end of releases) end();
    };
    const run = context.events.begin("refresh", () => ({ kind: "refresh", method, key: "" }));
    const work = background.run(() => run(() => this.#reload(free)), { method, key: "" }, release);
    return settings.background ? undefined : within(clock, options.softTimeoutMs, work);
  }

  /** @throws what the loader throws */
  async #reload(old: readonly Old[]): Promise<Values | undefined> {
    const { context, background, method } = this.#parts;
    const won: Lease[] = [];
    await together(old, async ({ key, envelope, kind }) => {
      const claim = () => this.#leases.claim(key, envelope);
      const lease = await background.attempt(claim, { method, key });
      if (lease) won.push(lease);
      if (lease && kind === "fresh") context.events.emit("early", () => ({ method, key }));
    });
    return won.length === 0 ? undefined : this.#load([], won, true);
  }

  /** Calls the loader once, and stores the values of the leases. @throws what the loader throws */
  async #load(alone: readonly string[], won: readonly Lease[], inBackground = false): Promise<Values> {
    const { context, settings, method, loader, options, shared } = this.#parts;
    const keys = [...won.map(({ key }) => key), ...alone];
    const allLost = new AbortController();
    const ended = new AbortController();
    const signal = AbortSignal.any([allLost.signal, ...(inBackground ? [] : [shared.signal()])]);
    const onAllLost = (reason: Error): void => void (alone.length === 0 && allLost.abort(reason));
    let loaded: Loaded;
    const values = new Map<string, unknown>();
    const tags = new Map<string, readonly string[]>();
    void Lease.renewAll(won, ended.signal, onAllLost);
    const unstored: { readonly key: string; readonly error: unknown }[] = [];
    try {
      try {
        // The callers may have left before the loader is called.
        signal.throwIfAborted();
        const run = {
          method,
          key: "",
          background: inBackground,
          keys,
          loader: loader.bind(undefined, keys),
          stale: undefined,
          options,
        };
        loaded = await load(context, { ...run, signal: () => signal }, settings.hardTimeoutMs);
        const given = loaded.value as Values;
        const { tagsOf } = loaded;
        await inTurns(keys, (key) => {
          const value = given.get(key);
          values.set(key, value);
          if (tagsOf && value !== undefined && loaded.ttlMs !== undefined) tags.set(key, tagsOf(value, key));
        });
      } catch (error) {
        await together(won, (lease) => this.#leases.yield(lease));
        throw error;
      }
      await together(won, async (lease) => {
        const { key } = lease;
        const value = values.get(key);
        const settled = await this.#leases
          .settle(lease, { ...loaded, value, tags: tags.get(key) })
          .catch((error: unknown) => {
            unstored.push({ key, error });
            return undefined;
          });
        values.set(key, await asHit(context.codec, { value, encoded: settled?.encoded }, key));
      });
      await together(alone, async (key) => {
        values.set(key, await asHit(context.codec, { value: values.get(key), encoded: undefined }, key));
      });
    } finally {
      ended.abort(END);
    }
    // After every lease has ended, because this may throw in the foreground.
    for (const { key, error } of unstored) {
      if (inBackground) context.report(error, method, key);
      else this.#lookup.tolerate(error, key);
    }
    return values;
  }

  async #keep(values: Values): Promise<void> {
    await inTurns([...values], ([key, value]) => {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    });
  }

  /** Emits `claim` for keys whose wait begins, and `wait` for keys whose wait has ended. */
  #emitWaits(
    wait: Wait | undefined,
    keys: readonly string[],
    { waiting, alone }: { readonly waiting: readonly string[]; readonly alone: readonly string[] },
  ): void {
    const { context, method } = this.#parts;
    const { events } = context;
    if (!wait) {
      for (const key of waiting) events.emit("claim", () => ({ method, key, won: false }));
      return;
    }
    const { durationMs } = wait;
    const [stillWaiting, unanswered] = [new Set(waiting), new Set(alone)];
    for (const key of keys) {
      if (!stillWaiting.has(key))
        events.emit("wait", () => ({ method, key, durationMs, answered: !unanswered.has(key) }));
    }
  }
}

/** Why renewals of a call's leases stop. A reason of its own would be an error with a stack. */
const END = "all leases have ended";

/** Runs `work` for all items of a batch at once, batch after batch. */
function together<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  return inBatches(items, (batch) => Promise.all(batch.map(work)));
}
