import type { Envelope } from "../../codec/envelope.js";
import type { Command, Reply, SendOptions } from "../../core/connection.js";
import { isReplaceable, Lease, newToken, readOrClaim, refusesWrites } from "../../lease/lease.js";
import { Wait } from "../../lease/wait.js";
import type { ClientContext, LoadOptions } from "../client.js";
import type { Loader, ManyLoader } from "../loader.js";
import { type Loaded, load } from "../loading.js";
import { tolerate } from "../refusals.js";
import type { Answer } from "../single-flight.js";
import { Coalesced, type Shared } from "../single-flight.js";
import { Background, within } from "./background.js";
import { type Answerable, type Found, refreshesEarly, toFound } from "./entry.js";
import { type LeaseParts, Leases } from "./leases.js";
import { ManyLoad } from "./many.js";
import type { HerdSettings } from "./options.js";

/** A load that somebody waits for, or nobody does. */
interface Wanted {
  readonly key: string;
  readonly loader: Loader<unknown>;
  readonly options: LoadOptions;
  /** Fires when nobody wants the answer any more; absent in the background. */
  readonly shared: Shared | undefined;
}

type Read = Exclude<Found, { kind: "claimed" }>;

/** How long a value without an expiry that can be read counts as seen. */
const PLAIN_SEEN_MS = 1_000;

/** How often a load starts anew after its lease was lost under it. */
const MAX_RESTARTS = 3;

/** What the herd client does to compute an entry once. Nothing here is loaded before the first `getOrSet`. */
export class HerdProtocol {
  readonly #context: ClientContext;
  readonly #settings: HerdSettings;
  readonly #reads: SendOptions;
  readonly #parts: LeaseParts;
  readonly #leases: Leases;
  /** Of a claim, which knows its own token again when it is repeated. */
  readonly #claims: SendOptions;

  constructor(context: ClientContext, settings: HerdSettings, reads: SendOptions) {
    this.#context = context;
    this.#settings = settings;
    this.#reads = reads;
    this.#parts = { context, settings, background: new Background(context), method: "getOrSet" };
    this.#leases = new Leases(this.#parts);
    this.#claims = { idempotent: true, text: context.codec.text };
  }

  /** The value of an entry, or what the loader gives. @throws what the loader throws @throws {EncodeError} */
  async answer(key: string, loader: Loader<unknown>, options: LoadOptions, shared: Shared): Promise<Answer> {
    const wanted: Wanted = { key, loader, options, shared };
    for (let restarts = 0; ; restarts++) {
      const found = await this.#await(wanted, shared);
      if (found === "none") return this.#alone(wanted);
      if (!(found instanceof Lease)) return found;
      try {
        return await this.#holding(found, wanted);
      } catch (error) {
        // The entry was deleted or written under the load, which then gave up: what is there now decides.
        const again = found.lost.aborted && !shared.signal().aborted && restarts < MAX_RESTARTS;
        if (!again) throw error;
      }
    }
  }

  /** As `answer` for several keys, with one load for all that are won. */
  answerMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>> {
    const parts = {
      ...this.#parts,
      method: "getOrSetMany",
      reads: this.#reads,
      claims: this.#claims,
      loader,
      options,
    };
    const own = (values: Map<string, unknown>) => values;
    // A flight of this one caller's own: for its signal, which ends the wait.
    const flight = new Coalesced<Map<string, unknown>>();
    const work = (shared: Shared) => new ManyLoad({ ...parts, shared }).run(keys);
    const unheard = (error: unknown): void => this.#context.report(error, parts.method, "");
    return flight.run("", work, own, own, options.signal, unheard);
  }

  /** Resolves when what goes on in the background has ended. */
  ended(): Promise<void> {
    return this.#parts.background.ended();
  }

  /** As `#find`, waiting while somebody else computes; `none` when that takes too long. */
  async #await(wanted: Wanted, shared: Shared): Promise<Answer | Lease | "none"> {
    const found = await this.#find(wanted);
    if (found !== "busy") return found;
    const { key } = wanted;
    const { clock, events } = this.#context;
    events.emit("claim", () => ({ key, won: false }));
    const wait = new Wait(clock, this.#settings.waitMs);
    for (;;) {
      const goesOn = await wait.next(shared.signal());
      const next = goesOn ? await this.#find(wanted) : "none";
      if (next === "busy") continue;
      events.emit("wait", () => ({ key, durationMs: wait.durationMs, answered: next !== "none" }));
      return next;
    }
  }

  /** An answer, or the lease; `none` when the store fails, or has what must be left alone. */
  async #find(wanted: Wanted): Promise<Answer | Lease | "busy" | "none"> {
    const { key } = wanted;
    try {
      const found = (await this.#readSeen(key)) ?? (await this.#readOrClaim(key));
      if (!found) return "none";
      if (found instanceof Lease || found === "busy") return found;
      return await this.#serve(found, wanted);
    } catch (error) {
      tolerate(this.#context, error, "getOrSet", key);
      return isReplaceable(error) ? this.#seize(key) : "none";
    }
  }

  /** Reads what this process has seen fresh; `undefined` when it hasn't, or it is gone. @throws {DecodeError} @throws {ReplyError} */
  async #readSeen(key: string): Promise<Answerable | Lease | "busy" | undefined> {
    const { clock, sharing } = this.#context;
    if (!sharing.recentlyFresh.has(key, clock.now())) return undefined;
    const found = await this.#read(key);
    if (found?.kind === "fresh") return found;
    sharing.recentlyFresh.delete(key);
    return found && this.#orClaim(found, key);
  }

  /** `undefined` when the server refuses writes and has no value either. @throws {DecodeError} @throws {ReplyError} */
  async #readOrClaim(key: string): Promise<Answerable | Lease | "busy" | undefined> {
    const { clock, sharing } = this.#context;
    const token = newToken();
    const reply = await this.#one(readOrClaim(key, token, this.#settings.leaseMs, clock.now()), this.#claims);
    if (refusesWrites(reply)) {
      const read = await this.#read(key);
      if (read && read.kind !== "expired") return read.kind === "busy" ? "busy" : read;
      tolerate(this.#context, reply, "getOrSet", key);
      return undefined;
    }
    const found = this.#toFound(reply, key, token);
    if (found.kind === "claimed") {
      return this.#leases.claimed(key, token);
    }
    if (found.kind === "fresh")
      sharing.recentlyFresh.add(key, found.envelope?.freshUntilMs ?? clock.now() + PLAIN_SEEN_MS);
    return this.#orClaim(found, key);
  }

  async #orClaim(found: Read, key: string): Promise<Answerable | Lease | "busy"> {
    if (found.kind === "busy") return "busy";
    if (found.kind !== "expired") return found;
    return (await this.#leases.claim(key, found.envelope)) ?? "busy";
  }

  async #read(key: string): Promise<Read | undefined> {
    const found = this.#toFound(await this.#one(["GET", key], this.#reads), key, "");
    return found.kind === "claimed" ? undefined : found;
  }

  async #one(command: Command, options: SendOptions): Promise<Reply> {
    const replies = await this.#context.connection.send([command], options);
    return replies[0] ?? null;
  }

  #toFound(reply: Reply, key: string, token: string): Found {
    const { clock, codec } = this.#context;
    return toFound(reply, { key, token, codec, nowMs: clock.now(), graceMs: this.#settings.graceMs });
  }

  async #seize(key: string): Promise<Lease | "busy" | "none"> {
    try {
      return (await this.#leases.seize(key)) ?? "busy";
    } catch (error) {
      tolerate(this.#context, error, "getOrSet", key);
      return "none";
    }
  }

  async #serve(found: Answerable, wanted: Wanted): Promise<Answer> {
    const { key } = wanted;
    const { clock, codec, events } = this.#context;
    const decoded = codec.decode(found.payload, key);
    const value = decoded instanceof Promise ? await decoded : decoded;
    const answer: Answer = { value, encoded: found.payload };
    if (found.kind === "stale") {
      const refreshed = await this.#refresh(found, wanted, answer);
      if (refreshed === answer) events.emit("stale", () => ({ key }));
      return refreshed;
    }
    events.emit("hit", () => ({ key }));
    const { envelope } = found;
    const early = envelope && refreshesEarly(envelope, this.#settings.beta, clock);
    return early ? this.#refresh({ ...found, envelope }, wanted, answer) : answer;
  }

  /** Refreshes an entry that has a value, when nobody does yet; the old answer where it need not, or can't, be waited for. */
  async #refresh(found: Refreshable, wanted: Wanted, old: Answer): Promise<Answer> {
    const { key, options } = wanted;
    const { clock, sharing } = this.#context;
    // Somebody refreshes it, or has failed to a moment ago: the server would say no.
    if (sharing.refreshing.has(key) || found.envelope.leaseUntilMs > clock.now()) return old;
    sharing.refreshing.add(key);
    const { background, method } = this.#parts;
    const release = () => sharing.refreshing.delete(key);
    const work = background.run(() => this.#reload(found, wanted), { method, key }, release);
    if (this.#settings.background) return old;
    return (await within(clock, options.softTimeoutMs, work)) ?? old;
  }

  /** The new answer, where the lease was won. @throws as `#holding` */
  async #reload(found: Refreshable, wanted: Wanted): Promise<Answer | undefined> {
    const { key } = wanted;
    const lease = await this.#leases.claim(key, found.envelope);
    if (!lease) return undefined;
    if (found.kind === "fresh") this.#context.events.emit("early", () => ({ key }));
    return this.#holding(lease, { ...wanted, shared: undefined }, found);
  }

  /** Loads and publishes under a lease. @throws what the loader throws @throws {EncodeError} */
  async #holding(lease: Lease, { key, loader, options, shared }: Wanted, old?: Refreshable): Promise<Answer> {
    const signal = (): AbortSignal => (shared ? AbortSignal.any([lease.lost, shared.signal()]) : lease.lost);
    let loaded: Loaded;
    void lease.renew();
    try {
      // Given up before it began.
      shared?.signal().throwIfAborted();
      // The loader's own: the caller holds the other, and may change it.
      const stale = old && (await this.#context.codec.decode(old.payload, key));
      loaded = await load(this.#context, { key, loader, stale, options, signal });
    } catch (error) {
      await this.#leases.yield(lease);
      throw error;
    }
    return { value: loaded.value, encoded: await this.#leases.settle(lease, loaded) };
  }

  /** Loads without a lease, and so without storing: the store fails, or another caller takes too long. */
  async #alone({ key, loader, options, shared }: Wanted): Promise<Answer> {
    const signal = () => shared?.signal() ?? new AbortController().signal;
    const { value } = await load(this.#context, { key, loader, stale: undefined, options, signal });
    return { value, encoded: undefined };
  }
}

/** A value that has an envelope, to say until when it is good. */
type Refreshable = Answerable & { readonly envelope: Envelope };
