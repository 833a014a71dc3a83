import type { Envelope } from "../../codec/envelope.js";
import type { Reply } from "../../core/command.js";
import type { SendOptions } from "../../core/connection.js";
import type { ClientContext, LoadOptions } from "../client.js";
import type { Shared } from "../coalesce.js";
import type { ManyLoader } from "../loader.js";
import { type Loaded, load } from "../loading.js";
import { type Background, within } from "./background.js";
import { refreshesEarly } from "./early.js";
import { type Found, isRubbish, readOrClaim, refusesWrites, toFound } from "./found.js";
import { Lease, newToken } from "./lease.js";
import type { HerdSettings } from "./options.js";
import { Wait } from "./wait.js";

export interface ManyParts {
  readonly context: ClientContext;
  readonly settings: HerdSettings;
  readonly reads: SendOptions;
  readonly claims: SendOptions;
  readonly background: Background;
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
  readonly #values = new Map<string, unknown>();
  #restarts = 0;

  constructor(parts: ManyParts) {
    this.#parts = parts;
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
      this.#report(error, "");
      looked.alone.push(...keys);
      return looked;
    }
    await Promise.all(keys.map((key, i) => this.#sort(key, tokens[i] ?? "", replies[i] ?? null, looked)));
    return looked;
  }

  /** The replies in order; where the server refuses to write, what it has. */
  async #flight(keys: readonly string[], tokens: readonly string[]): Promise<Reply[]> {
    const { context, settings, reads, claims } = this.#parts;
    const nowMs = context.clock.now();
    const commands = keys.map((key, i) => readOrClaim(key, tokens[i] ?? "", settings, nowMs));
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
    const { clock, codec, events } = context;
    try {
      const at = { key, token, codec, graceMs: settings.graceMs, nowMs: clock.now() };
      const found = toFound(reply, at);
      if (found.kind === "fresh" || found.kind === "stale") await this.#serve(key, found, looked);
      else if (found.kind === "claimed") {
        events.emit("claim", () => ({ key, won: true }));
        looked.won.push(new Lease(context, settings, key, token));
      } else {
        const lease = found.kind === "expired" ? await Lease.claim(context, settings, key, found.envelope) : undefined;
        if (lease) looked.won.push(lease);
        else looked.busy.push(key);
      }
    } catch (error) {
      this.#report(error, key);
      await (isRubbish(error) ? this.#seize(key, looked) : looked.alone.push(key));
    }
  }

  async #seize(key: string, looked: Looked): Promise<void> {
    const { context, settings } = this.#parts;
    try {
      const lease = await Lease.seize(context, settings, key);
      if (lease) looked.won.push(lease);
      else looked.busy.push(key);
    } catch (error) {
      this.#report(error, key);
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
    const { context, settings, background, options } = this.#parts;
    const { clock, sharing } = context;
    const free = old.filter(
      ({ key, envelope }) => !sharing.refreshing.has(key) && envelope.leaseUntilMs <= clock.now(),
    );
    if (free.length === 0) return;
    for (const { key } of free) sharing.refreshing.add(key);
    const work = this.#reload(free)
      .catch((error: unknown) => {
        this.#report(error, "");
        return undefined;
      })
      .finally(() => {
        for (const { key } of free) sharing.refreshing.delete(key);
      });
    background.add(work, "");
    if (settings.background) return;
    const values = await within(clock, options.softTimeoutMs, work, undefined);
    if (values) this.#take(values);
  }

  /** @throws what the loader throws */
  async #reload(old: readonly Old[]): Promise<Values | undefined> {
    const { context, settings } = this.#parts;
    const claims = await Promise.all(
      old.map(async ({ key, envelope, early }) => {
        const lease = await Lease.claim(context, settings, key, envelope).catch((error: unknown) => {
          this.#report(error, key);
          return undefined;
        });
        if (lease && early) context.events.emit("early", () => ({ key }));
        return lease;
      }),
    );
    const won = claims.filter((lease) => lease !== undefined);
    return won.length === 0 ? undefined : this.#load([], won, true);
  }

  /** Calls the loader once, and stores what there is a lease for. @throws what the loader throws */
  async #load(alone: readonly string[], won: readonly Lease[], inBackground = false): Promise<Values> {
    const { context, loader, options, shared } = this.#parts;
    const keys = [...won.map(({ key }) => key), ...alone];
    const ends = [...(inBackground ? [] : [shared.signal()]), ...(alone.length === 0 ? [allLost(won)] : [])];
    const signal = AbortSignal.any(ends);
    let loaded: Loaded;
    for (const lease of won) lease.keep();
    try {
      // Given up before it began.
      signal.throwIfAborted();
      const run = { key: "", loader: loader.bind(undefined, keys), stale: undefined, options };
      loaded = await load(context, { ...run, signal: () => signal });
    } catch (error) {
      await Promise.all(won.map((lease) => lease.yield()));
      throw error;
    }
    const values = new Map(keys.map((key) => [key, (loaded.value as Values).get(key)]));
    await Promise.all(
      won.map((lease) =>
        lease
          .settle({ ...loaded, value: values.get(lease.key) })
          .catch((error: unknown) => this.#report(error, lease.key)),
      ),
    );
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

  #report(error: unknown, key: string): void {
    this.#parts.context.report(error, "getOrSetMany", key);
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
