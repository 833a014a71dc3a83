import type { Envelope } from "../../codec/envelope.js";
import type { Reply, SendOptions } from "../../core/connection.js";
import { isReplaceable, type Lease, newToken, readOrClaim, refusesWrites } from "../../lease/lease.js";
import { Wait } from "../../lease/wait.js";
import type { LoadOptions } from "../client.js";
import type { ManyLoader } from "../loader.js";
import { type Loaded, load } from "../loading.js";
import { tolerate } from "../refusals.js";
import type { Shared } from "../single-flight.js";
import { within } from "./background.js";
import { type Found, refreshesEarly, toFound } from "./entry.js";
import { type LeaseParts, Leases } from "./leases.js";

export interface ManyParts extends LeaseParts {
  readonly reads: SendOptions;
  readonly claims: SendOptions;
  readonly loader: ManyLoader;
  readonly options: LoadOptions;
  readonly shared: Shared;
}

/** What is to be done about keys after a look at them. */
class Looked {
  /** To be loaded and stored. */
  readonly won: Lease[] = [];
  /** To be loaded, and not stored. */
  readonly alone: string[] = [];
  /** To be waited for. */
  readonly busy: string[] = [];
  /** Answered, and to be refreshed. */
  readonly old: Old[] = [];
}

interface Old {
  readonly key: string;
  readonly envelope: Envelope;
  readonly early: boolean;
}

type Values = ReadonlyMap<string, unknown>;

/** How often a load starts anew after all its leases were lost under it. */
const MAX_RESTARTS = 3;

/** One call of `getOrSetMany`: one flight reads or claims all keys, and one call of the loader computes those won. */
export class ManyLoad {
  readonly #parts: ManyParts;
  readonly #leases: Leases;
  readonly #values = new Map<string, unknown>();
  #restarts = 0;

  constructor(parts: ManyParts) {
    this.#parts = parts;
    this.#leases = new Leases(parts);
  }

  /** @throws what the loader throws */
  async run(keys: readonly string[]): Promise<Map<string, unknown>> {
    const { context, settings, shared } = this.#parts;
    let wait: Wait | undefined;
    let wanted = keys;
    for (;;) {
      const looked = await this.#look(wanted);
      this.#tell(wait, wanted, looked.busy);
      await Promise.all([this.#fill(looked), this.#refresh(looked.old)]);
      if (looked.busy.length === 0) break;
      wait ??= new Wait(context.clock, settings.waitMs);
      if (!(await wait.next(shared.signal()))) {
        this.#tell(wait, looked.busy, [], false);
        this.#take(await this.#load(looked.busy, []));
        break;
      }
      wanted = looked.busy;
    }
    return new Map(keys.flatMap((key) => (this.#values.has(key) ? [[key, this.#values.get(key)]] : [])));
  }

  /** Reads or claims, all in one flight. */
  async #look(keys: readonly string[]): Promise<Looked> {
    const looked = new Looked();
    const tokens = keys.map(newToken);
    let replies: readonly Reply[] = [];
    try {
      replies = await this.#flight(keys, tokens);
    } catch (error) {
      this.#tolerate(error, "");
      looked.alone.push(...keys);
      return looked;
    }
    const sorting = keys.map((key, i) => this.#sort(key, tokens[i] ?? "", replies[i] ?? null, looked));
    const failed = (await Promise.allSettled(sorting)).find(({ status }) => status === "rejected");
    if (failed?.status !== "rejected") return looked;
    await Promise.all(looked.won.map((lease) => this.#leases.yield(lease)));
    throw failed.reason;
  }

  /** The replies in order; where the server refuses to write, what it has. */
  async #flight(keys: readonly string[], tokens: readonly string[]): Promise<Reply[]> {
    const { context, settings, reads, claims } = this.#parts;
    const nowMs = context.clock.now();
    const commands = keys.map((key, i) => readOrClaim(key, tokens[i] ?? "", settings.leaseMs, nowMs));
    const replies = await context.connection.send(commands, claims);
    const refused = keys.flatMap((_key, i) => (refusesWrites(replies[i] ?? null) ? [i] : []));
    if (refused.length === 0) return replies;
    const gets = refused.map((i) => ["GET", keys[i] ?? ""] as const);
    const read = await context.connection.send(gets, reads);
    // A value answers; where there is none, the refusal does.
    for (const [j, i] of refused.entries()) replies[i] = read[j] ?? replies[i] ?? null;
    return replies;
  }

  async #sort(key: string, token: string, reply: Reply, looked: Looked): Promise<void> {
    const { context, settings } = this.#parts;
    const { clock, codec } = context;
    try {
      const at = { key, token, codec, graceMs: settings.graceMs, nowMs: clock.now() };
      const found = toFound(reply, at);
      if (found.kind === "fresh" || found.kind === "stale") await this.#serve(key, found, looked);
      else if (found.kind === "claimed") looked.won.push(this.#leases.claimed(key, token));
      else {
        const lease = found.kind === "expired" ? await this.#leases.claim(key, found.envelope) : undefined;
        if (lease) looked.won.push(lease);
        else looked.busy.push(key);
      }
    } catch (error) {
      this.#tolerate(error, key);
      await (isReplaceable(error) ? this.#seize(key, looked) : looked.alone.push(key));
    }
  }

  async #seize(key: string, looked: Looked): Promise<void> {
    try {
      const lease = await this.#leases.seize(key);
      if (lease) looked.won.push(lease);
      else looked.busy.push(key);
    } catch (error) {
      this.#tolerate(error, key);
      looked.alone.push(key);
    }
  }

  async #serve(key: string, found: Extract<Found, { kind: "fresh" | "stale" }>, { old }: Looked): Promise<void> {
    const { context, settings } = this.#parts;
    const { codec, clock, events } = context;
    const decoded = codec.decode(found.payload, key);
    this.#values.set(key, decoded instanceof Promise ? await decoded : decoded);
    const { envelope } = found;
    const early = found.kind === "fresh";
    events.emit(early ? "hit" : "stale", () => ({ key }));
    if (envelope && (!early || refreshesEarly(envelope, settings.beta, clock))) old.push({ key, envelope, early });
  }

  /** Loads what nobody else does. @throws what the loader throws */
  async #fill({ won, alone, busy }: Looked): Promise<void> {
    if (won.length === 0 && alone.length === 0) return;
    try {
      this.#take(await this.#load(alone, won));
    } catch (error) {
      // All were deleted or written under the load, which then gave up: what is there now decides.
      const again = alone.length === 0 && won.every(({ lost }) => lost.aborted) && !this.#parts.shared.signal().aborted;
      if (!again || this.#restarts++ >= MAX_RESTARTS) throw error;
      busy.push(...won.map(({ key }) => key));
    }
  }

  /** Refreshes, with one load, the entries that nobody else does; never rejects. */
  async #refresh(old: readonly Old[]): Promise<void> {
    const { context, settings, background, method, options } = this.#parts;
    const { clock, sharing } = context;
    const free = old.filter(
      ({ key, envelope }) => !sharing.refreshing.has(key) && envelope.leaseUntilMs <= clock.now(),
    );
    if (free.length === 0) return;
    for (const { key } of free) sharing.refreshing.add(key);
    const release = (): void => {
      for (const { key } of free) sharing.refreshing.delete(key);
    };
    const work = background.run(() => this.#reload(free), { method, key: "" }, release);
    if (settings.background) return;
    const values = await within(clock, options.softTimeoutMs, work);
    if (values) this.#take(values);
  }

  /** @throws what the loader throws */
  async #reload(old: readonly Old[]): Promise<Values | undefined> {
    const { context, background, method } = this.#parts;
    const claims = await Promise.all(
      old.map(async ({ key, envelope, early }) => {
        const claim = () => this.#leases.claim(key, envelope);
        const lease = await background.attempt(claim, { method, key });
        if (lease && early) context.events.emit("early", () => ({ key }));
        return lease;
      }),
    );
    const won = claims.filter((lease) => lease !== undefined);
    return won.length === 0 ? undefined : this.#load([], won, true);
  }

  /** Calls the loader once, and stores what there is a lease for. @throws what the loader throws */
  async #load(alone: readonly string[], won: readonly Lease[], inBackground = false): Promise<Values> {
    const { context, method, loader, options, shared } = this.#parts;
    const keys = [...won.map(({ key }) => key), ...alone];
    const ends = [...(inBackground ? [] : [shared.signal()]), ...(alone.length === 0 ? [allLost(won)] : [])];
    const signal = AbortSignal.any(ends);
    let loaded: Loaded;
    let values: Values;
    for (const lease of won) void lease.renew();
    try {
      // Given up before it began.
      signal.throwIfAborted();
      const run = { key: "", loader: loader.bind(undefined, keys), stale: undefined, options };
      loaded = await load(context, { ...run, signal: () => signal });
      const given = loaded.value as Values;
      values = new Map(keys.map((key) => [key, given.get(key)]));
    } catch (error) {
      await Promise.all(won.map((lease) => this.#leases.yield(lease)));
      throw error;
    }
    const unstored: { readonly key: string; readonly error: unknown }[] = [];
    await Promise.all(
      won.map(async (lease) => {
        const { key } = lease;
        await this.#leases
          .settle(lease, { ...loaded, value: values.get(key) })
          .catch((error: unknown) => unstored.push({ key, error }));
      }),
    );
    // Only now, when every lease has ended: in the foreground this may throw.
    for (const { key, error } of unstored) {
      if (inBackground) context.report(error, method, key);
      else this.#tolerate(error, key);
    }
    return values;
  }

  #take(values: Values): void {
    for (const [key, value] of values) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
  }

  /** Tells of lost claims with the first look, and of waits when they end. */
  #tell(wait: Wait | undefined, keys: readonly string[], busy: readonly string[], answered = true): void {
    const { events } = this.#parts.context;
    if (!wait) {
      for (const key of busy) events.emit("claim", () => ({ key, won: false }));
      return;
    }
    const { durationMs } = wait;
    const waiting = new Set(busy);
    for (const key of keys) if (!waiting.has(key)) events.emit("wait", () => ({ key, durationMs, answered }));
  }

  #tolerate(error: unknown, key: string): void {
    tolerate(this.#parts.context, error, this.#parts.method, key);
  }
}

/** Fires when all of the leases are lost. */
function allLost(leases: readonly Lease[]): AbortSignal {
  const controller = new AbortController();
  let left = leases.length;
  for (const { lost } of leases) {
    const one = (): void => {
      if (--left === 0) controller.abort(lost.reason);
    };
    lost.addEventListener("abort", one, { once: true });
  }
  return controller.signal;
}
