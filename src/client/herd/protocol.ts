import { type Encoded, staleFromMs } from "../../codec/envelope.js";
import type { SendOptions } from "../../core/connection.js";
import type { Lease } from "../../lease/lease.js";
import { Wait } from "../../lease/wait.js";
import { Background, within } from "../background.js";
import type { ClientContext, Loader, LoadOptions, ManyLoader } from "../client.js";
import { asHit, load } from "../loading.js";
import { type Answer, forOneCaller, type Shared } from "../single-flight.js";
import { readLog, tagsOnly, untilRead } from "../tagged-entries.js";
import { type LeaseParts, Leases, type LoadedOne } from "./leases.js";
import { type Forced, Lookup, type Outcome, type Refreshable } from "./lookup.js";
import { ManyLoad } from "./many.js";
import type { HerdSettings } from "./options.js";
import { failedLoad, next } from "./state.js";

/** One call of `getOrSet`, or its refresh in the background. */
interface LoadRequest {
  readonly key: string;
  readonly loader: Loader<unknown>;
  readonly options: LoadOptions;
  /** Fires when the last caller has left; absent in the background. */
  readonly shared: Shared | undefined;
}

/** How long a value without an envelope counts as recently fresh. */
const PLAIN_FRESH_MS = 1_000;

/** `getOrSet` and `getOrSetMany` of the herd client, by the state machine of state.ts. Imported by the first call. */
export class HerdProtocol {
  readonly #context: ClientContext;
  readonly #settings: HerdSettings;
  readonly #reads: SendOptions;
  readonly #parts: LeaseParts;
  readonly #leases: Leases;
  readonly #lookup: Lookup;

  constructor(context: ClientContext, settings: HerdSettings, reads: SendOptions) {
    this.#context = context;
    this.#settings = settings;
    this.#reads = reads;
    this.#parts = { context, settings, background: new Background(context), method: "getOrSet" };
    this.#leases = new Leases(this.#parts);
    this.#lookup = new Lookup(this.#parts, this.#leases, reads);
  }

  /** The value of an entry, or what the loader returns. @throws what the loader throws @throws {EncodeError} */
  async answer(key: string, loader: Loader<unknown>, options: LoadOptions, shared: Shared): Promise<Answer> {
    const request: LoadRequest = { key, loader, options, shared };
    const { call } = options;
    const forced: Forced | undefined = options.forceRefresh ? new Set() : undefined;
    let found: Answer["found"] = "hit";
    for (let restarts = 0; ; restarts++) {
      let outcome = await this.#find(key, forced);
      if (outcome.state !== "Answered" && outcome.state !== "Refreshing") {
        if (found === "hit") call?.miss();
        found = "miss";
      }
      if (outcome.state === "Waiting") outcome = await this.#wait(key, shared, forced);
      if (outcome.state === "Answered") {
        const { value, encoded, stored, savedMs } = outcome;
        if (found === "hit") {
          call?.found(encoded.length, savedMs);
          call?.hit();
        }
        return { value, encoded, stored, found, savedMs };
      }
      if (outcome.state === "Refreshing") return this.#refresh(outcome.old, request, { ...outcome, found });
      if (outcome.state === "LoadingAlone") return this.#loadAlone(request);
      const { lease, old } = outcome;
      try {
        return await this.#load(lease, request, old);
      } catch (error) {
        const event = failedLoad({ isLost: lease.isLost, isAborted: shared.signal().aborted, restarts });
        if (next("Loading", event) === "Failed") throw error;
      }
    }
  }

  /** The values of several keys. One call of the loader computes all keys whose lease was won. @throws what the loader throws */
  answerMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    const parts = {
      ...this.#parts,
      method: "getOrSetMany",
      reads: this.#reads,
      loader,
      options,
    };
    const unheard = (error: unknown): void => this.#context.report(error, parts.method, "");
    return forOneCaller((shared) => new ManyLoad({ ...parts, shared }).run(keys), options.signal, unheard);
  }

  /** Resolves when all background work has ended. */
  ended(): Promise<void> {
    return this.#parts.background.ended();
  }

  /** Polls while another caller loads. @throws the reason of the callers' signal */
  async #wait(key: string, shared: Shared, forced?: Forced): Promise<Exclude<Outcome, { state: "Waiting" }>> {
    const { clock, connection, events } = this.#context;
    const { method } = this.#parts;
    events.emit("claim", () => ({ method, key, won: false }));
    shared.enters("wait");
    const wait = new Wait(clock, this.#settings.waitMs);
    for (;;) {
      const event = (await wait.next(shared.signal(), undefined, connection.near?.changes([key]))) ? "poll" : "timeout";
      const state = next("Waiting", event);
      const outcome = state === "Lookup" ? await this.#find(key, forced) : { state };
      if (outcome.state === "Waiting") continue;
      // A store error while waiting ends the wait as a timeout does: without a value.
      const answered = outcome.state !== "LoadingAlone";
      events.emit("wait", () => ({ method, key, durationMs: wait.durationMs, answered }));
      return outcome;
    }
  }

  /** Looks the key up; a recently fresh one with a plain GET first. */
  async #find(key: string, forced?: Forced): Promise<Outcome> {
    const { clock, sharing } = this.#context;
    const { recentlyFresh } = sharing;
    try {
      if (recentlyFresh.has(key, clock.now())) {
        const looked = await this.#lookup.read(key);
        const outcome = looked.reply === null ? undefined : await this.#lookup.judge(key, looked, forced);
        if (outcome?.state !== "Answered" && outcome?.state !== "Refreshing") recentlyFresh.delete(key);
        if (outcome) return outcome;
      }
      const sent = this.#lookup.readOrClaim([key]);
      const log = readLog(this.#context);
      const [read] = await sent;
      await untilRead(log);
      const outcome = await this.#lookup.judge(key, { ...read, log }, forced);
      if (outcome.state === "Answered") recentlyFresh.add(key, outcome.freshUntilMs ?? clock.now() + PLAIN_FRESH_MS);
      // Its entry is there as long as it may be answered, and is replaced where it is refreshed.
      else if (outcome.state === "Refreshing") {
        recentlyFresh.add(key, staleFromMs(outcome.old.envelope) + this.#settings.graceMs);
      }
      return outcome;
    } catch (error) {
      this.#lookup.tolerate(error, key);
      return { state: next("Lookup", "unavailable") };
    }
  }

  /** Refreshes a value. @returns the old one, with its refresh where that is waited for */
  #refresh(
    old: Refreshable,
    request: LoadRequest,
    { value, encoded, stored, found }: Pick<Answer, "value" | "found" | "stored"> & { readonly encoded: Encoded },
  ): Answer {
    const { call } = request.options;
    const isStale = old.kind === "stale";
    const savedMs = isStale ? 0 : old.envelope.deltaMs;
    const record = (): void => {
      if (!call || found === "miss") return;
      call.found(encoded.length, savedMs);
      if (isStale) call.foundStale();
      else call.hit();
    };
    const answer = { value, encoded, stored, found: isStale && found === "hit" ? "stale" : found, savedMs } as const;
    const refreshed = this.#startRefresh(old, request);
    if (!refreshed) {
      record();
      return answer;
    }
    const orStale = refreshed.then((newest) => {
      if (!newest) record();
      else if (found === "hit") call?.miss();
      return newest;
    });
    return { ...answer, refreshed: orStale };
  }

  /** @returns the refresh, if this caller waits for it */
  #startRefresh(old: Refreshable, request: LoadRequest): Promise<Answer | undefined> | undefined {
    const { key, options } = request;
    const { clock, sharing } = this.#context;
    // Another caller has just failed to refresh it: the server would refuse the claim.
    if (old.envelope.leaseUntilMs > clock.now()) return undefined;
    const release = sharing.startRefresh(key);
    if (!release) return undefined;
    const { background, method } = this.#parts;
    const run = this.#context.events.begin("refresh", () => ({ kind: "refresh", method, key }));
    const work = background.run(() => run(() => this.#reload(old, request)), { method, key }, release);
    return this.#settings.background ? undefined : within(clock, options.softTimeoutMs, work);
  }

  /** Loads in the background. @returns `undefined` when another caller has the lease @throws as `#load` */
  async #reload(old: Refreshable, request: LoadRequest): Promise<Answer | undefined> {
    const { key } = request;
    const lease = await this.#leases.claim(key, old.envelope);
    if (!lease) return undefined;
    const { method } = this.#parts;
    if (old.kind === "fresh") this.#context.events.emit("early", () => ({ method, key }));
    return this.#load(lease, { ...request, shared: undefined }, old);
  }

  /** Loads and publishes under a lease. @throws what the loader throws @throws {EncodeError} */
  async #load(lease: Lease, { key, loader, options, shared }: LoadRequest, old?: Refreshable): Promise<Answer> {
    const signal = (): AbortSignal => (shared ? AbortSignal.any([lease.lost, shared.signal()]) : lease.lost);
    let loaded: LoadedOne;
    shared?.enters("load");
    void lease.renew();
    try {
      // The callers may have left before the loader is called.
      shared?.signal().throwIfAborted();
      // A copy for the loader: the caller has the other one and may change it.
      const stale = old && (await this.#context.codec.decode(old.payload, key));
      const run = { method: this.#parts.method, key, background: !shared, loader, stale, options, signal };
      loaded = await load(this.#context, run, this.#settings.hardTimeoutMs);
      if (loaded.ttlMs !== undefined) loaded = { ...loaded, tags: loaded.tagsOf?.(loaded.value, key) };
    } catch (error) {
      await this.#leases.yield(lease);
      throw error;
    }
    const { value } = loaded;
    const settled = await this.#leases.settle(lease, loaded);
    const { encoded, stored = await tagsOnly(this.#context, key, loaded) } = settled;
    return { value: await asHit(this.#context.codec, { value, encoded }, key), encoded, stored, found: "miss" };
  }

  /** Loads without a lease, and so without storing. @throws what the loader throws */
  async #loadAlone({ key, loader, options, shared }: LoadRequest): Promise<Answer> {
    shared?.enters("load");
    const signal = () => shared?.signal() ?? new AbortController().signal;
    const run = { method: this.#parts.method, key, loader, stale: undefined, options, signal };
    const loaded = await load(this.#context, run, this.#settings.hardTimeoutMs);
    const { value } = loaded;
    const encoded = undefined;
    const stored = await tagsOnly(this.#context, key, loaded);
    return { value: await asHit(this.#context.codec, { value, encoded }, key), encoded, stored, found: "miss" };
  }
}
