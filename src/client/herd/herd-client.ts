import type { Encoded } from "../../codec/encoded.js";
import { type Envelope, FOREVER, NewerFormatError, NO_TOKEN, seal } from "../../codec/envelope.js";
import type { Reply } from "../../core/connection.js";
import { DecodeError } from "../../core/errors.js";
import type { ClientContext, ClientFactory, LoadOptions } from "../client.js";
import type { Shared } from "../coalesce.js";
import { DefaultClient, type Stored } from "../default-client.js";
import type { Loader } from "../loader.js";
import type { Answer } from "../sharing.js";
import { refreshesEarly } from "./early.js";
import { type Found, readOrClaim, refusesWrites, toFound } from "./found.js";
import { Lease, newToken } from "./lease.js";
import { type HerdOptions, type HerdSettings, toHerdSettings } from "./options.js";
import { Wait } from "./wait.js";

/** A load that somebody waits for, or nobody does. */
interface Wanted {
  readonly key: string;
  readonly loader: Loader<unknown>;
  readonly options: LoadOptions;
  /** Fires when nobody wants the answer any more; absent in the background. */
  readonly shared: Shared | undefined;
}

type Answerable = Exclude<Found, { kind: "claimed" }>;

/** How long a value without an expiry that can be read counts as seen. */
const PLAIN_SEEN_MS = 1_000;

/** How often a load starts anew after its lease was lost under it. */
const MAX_RESTARTS = 3;

/**
 * One caller in a whole fleet computes a missing or stale entry, while all others get an answer.
 * @throws {ConfigurationError} on wrong options
 */
export function herd(options: HerdOptions = {}): ClientFactory {
  const settings = toHerdSettings(options);
  return (context) => new HerdClient(context, settings);
}

export class HerdClient extends DefaultClient {
  protected readonly settings: HerdSettings;
  readonly #background = new Set<Promise<void>>();

  constructor(context: ClientContext, settings: HerdSettings = toHerdSettings({})) {
    super(context);
    this.settings = settings;
  }

  override async close(): Promise<void> {
    await Promise.all(this.#background);
  }

  protected override get graceMs(): number {
    return this.settings.graceMs;
  }

  protected override wrap(encoded: Encoded, ttlMs: number | null, deltaMs = 0): Stored {
    const { clock, codec } = this.context;
    const { jitter, graceMs } = this.settings;
    const shortMs = ttlMs === null ? null : Math.max(1, Math.round(ttlMs * (1 - jitter * clock.random())));
    const freshUntilMs = shortMs === null ? FOREVER : Math.min(FOREVER, clock.now() + shortMs);
    const header = { freshUntilMs, deltaMs, token: NO_TOKEN, leaseUntilMs: 0 };
    return { stored: seal(header, codec.mark, encoded), ttlMs: shortMs === null ? null : shortMs + graceMs };
  }

  protected override async answer(
    key: string,
    loader: Loader<unknown>,
    given: LoadOptions,
    shared: Shared,
  ): Promise<Answer> {
    const options = { ...given, hardTimeoutMs: given.hardTimeoutMs ?? this.settings.hardTimeoutMs };
    const wanted: Wanted = { key, loader, options, shared };
    for (let restarts = 0; ; restarts++) {
      const found = await this.#await(wanted);
      if (found === "none" || found === "rubbish") return this.#alone(wanted, found === "rubbish");
      if (!(found instanceof Lease)) return found;
      try {
        return await this.#holding(found, wanted, undefined);
      } catch (error) {
        // The entry was deleted or written under the load, which then gave up: what is there now decides.
        const again = found.lost.aborted && !shared.signal().aborted && restarts < MAX_RESTARTS;
        if (!again) throw error;
      }
    }
  }

  /** As `#find`, waiting while somebody else computes; `none` when that takes too long. */
  async #await(wanted: Wanted): Promise<Answer | Lease | "none" | "rubbish"> {
    const { key, shared } = wanted;
    const { clock, events } = this.context;
    let wait: Wait | undefined;
    const waited = (answered: boolean): void => {
      const durationMs = wait?.durationMs;
      if (durationMs !== undefined) events.emit("wait", () => ({ key, durationMs, answered }));
    };
    for (;;) {
      const found = await this.#find(wanted);
      if (found !== "busy") {
        waited(found !== "none");
        return found;
      }
      wait ??= new Wait(clock, this.settings.waitMs);
      if (!(await wait.next(shared?.signal() ?? new AbortController().signal))) {
        waited(false);
        return "none";
      }
    }
  }

  /** An answer, or the lease; `none` when the store fails, and `rubbish` when what it holds can't be read. */
  async #find(wanted: Wanted): Promise<Answer | Lease | "busy" | "none" | "rubbish"> {
    const { key } = wanted;
    try {
      const found = (await this.#readSeen(key)) ?? (await this.#readOrClaim(key));
      if (!found) return "none";
      if (found instanceof Lease) {
        this.context.events.emit("claim", () => ({ key, won: true }));
        return found;
      }
      if (found.kind === "busy") {
        this.context.events.emit("claim", () => ({ key, won: false }));
        return "busy";
      }
      return await this.#serve(found, wanted);
    } catch (error) {
      this.context.report(error, "getOrSet", key);
      return error instanceof DecodeError && !(error instanceof NewerFormatError) ? "rubbish" : "none";
    }
  }

  /** Reads what this process has seen fresh; `undefined` when it hasn't, or it is gone. @throws {DecodeError} @throws {ReplyError} */
  async #readSeen(key: string): Promise<Answerable | undefined> {
    const { clock, sharing } = this.context;
    if (!sharing.seen.has(key, clock.now())) return undefined;
    const found = await this.#read(key);
    if (found?.kind === "fresh") return found;
    sharing.seen.delete(key);
    return found;
  }

  /** `undefined` when the server refuses writes and has no value either. @throws {DecodeError} @throws {ReplyError} */
  async #readOrClaim(key: string): Promise<Answerable | Lease | undefined> {
    const { clock, sharing } = this.context;
    const token = newToken();
    const reply = await this.one(readOrClaim(key, token, this.settings, clock.now()), this.reads);
    if (refusesWrites(reply)) {
      const read = await this.#read(key);
      return read?.kind === "busy" ? undefined : read;
    }
    const found = this.#toFound(reply, key, token);
    if (found.kind === "claimed") return new Lease(this.context, this.settings, key, token);
    if (found.kind === "fresh") sharing.seen.add(key, found.envelope?.freshUntilMs ?? clock.now() + PLAIN_SEEN_MS);
    return found;
  }

  async #read(key: string): Promise<Answerable | undefined> {
    const found = this.#toFound(await this.one(["GET", key], this.reads), key, "");
    return found.kind === "claimed" ? undefined : found;
  }

  #toFound(reply: Reply, key: string, token: string): Found {
    const { clock, codec } = this.context;
    return toFound(reply, { key, token, codec, nowMs: clock.now(), graceMs: this.settings.graceMs });
  }

  async #serve(found: Exclude<Answerable, { kind: "busy" }>, wanted: Wanted): Promise<Answer> {
    const { key } = wanted;
    const { clock, codec, events } = this.context;
    const value = await codec.decode(found.payload, key);
    const answer: Answer = { value, encoded: found.payload };
    const { envelope } = found;
    if (found.kind === "stale") {
      const refreshed = await this.#refresh(found.envelope, wanted, answer);
      if (refreshed !== answer) return refreshed;
      events.emit("stale", () => ({ key }));
      return answer;
    }
    events.emit("hit", () => ({ key }));
    const { beta } = this.settings;
    if (
      envelope &&
      refreshesEarly({
        freshUntilMs: envelope.freshUntilMs,
        deltaMs: envelope.deltaMs,
        beta,
        nowMs: clock.now(),
        random: () => clock.random(),
      })
    ) {
      events.emit("early", () => ({ key }));
      return this.#refresh(envelope, wanted, answer);
    }
    return answer;
  }

  /** Refreshes an entry that has a value, when nobody does yet; the old answer where it need not, or can't, be waited for. */
  async #refresh(seen: Envelope, wanted: Wanted, old: Answer): Promise<Answer> {
    const { key, options } = wanted;
    const { clock, report } = this.context;
    // Somebody refreshes it, or has failed to a moment ago: the server would say no.
    if (this.context.sharing.refreshing.has(key) || seen.leaseUntilMs > clock.now()) return old;
    this.context.sharing.refreshing.add(key);
    const refreshing = (async (): Promise<Answer> => {
      const lease = await Lease.claim(this.context, this.settings, key, seen);
      return lease ? this.#holding(lease, { ...wanted, shared: undefined }, old.value) : old;
    })().finally(() => this.context.sharing.refreshing.delete(key));
    const reported = refreshing.catch((error: unknown) => {
      report(error, "getOrSet", key);
      return old;
    });
    this.#inBackground(reported);
    if (this.settings.background) return old;
    const { softTimeoutMs } = options;
    if (softTimeoutMs === undefined) return reported;
    const done = new AbortController();
    const late = clock.sleep(softTimeoutMs, done.signal).then(() => old);
    return Promise.race([reported, late]).finally(() => done.abort());
  }

  /** Loads and publishes under a lease. @throws what the loader throws @throws {EncodeError} */
  async #holding(lease: Lease, wanted: Wanted, stale: unknown): Promise<Answer> {
    const { key, loader, options, shared } = wanted;
    const { codec, report } = this.context;
    const failed = (error: unknown): void => report(error, "getOrSet", key);
    const signal = (): AbortSignal => (shared ? AbortSignal.any([lease.lost, shared.signal()]) : lease.lost);
    lease.keep().catch(failed);
    try {
      const { value, ttlMs, durationMs } = await this.load(key, loader, stale, options, signal);
      if (ttlMs === undefined) {
        lease.end();
        await lease.yield(0).catch(failed);
        return { value, encoded: undefined };
      }
      const encoded = await codec.encode(value, key);
      lease.end();
      const write = this.wrap(encoded, ttlMs, durationMs);
      await lease.publish(write.stored, write.ttlMs).catch(failed);
      return { value, encoded };
    } catch (error) {
      lease.end();
      await lease.yield(stale === undefined ? 0 : this.settings.retryAfterMs).catch(failed);
      throw error;
    }
  }

  /** Loads without a lease: the store fails, another caller takes too long, or there is rubbish to write over. */
  async #alone({ key, loader, options, shared }: Wanted, writes: boolean): Promise<Answer> {
    const { value, ttlMs, durationMs } = await this.load(key, loader, undefined, options, () => shared?.signal());
    if (!writes || ttlMs === undefined || shared?.isCurrent() === false) return { value, encoded: undefined };
    const encoded = await this.context.codec.encode(value, key);
    await this.put(key, this.wrap(encoded, ttlMs, durationMs)).catch((error: unknown) => {
      this.context.report(error, "getOrSet", key);
    });
    return { value, encoded };
  }

  #inBackground(work: Promise<unknown>): void {
    const done: Promise<void> = work.then(() => {
      this.#background.delete(done);
    });
    this.#background.add(done);
    this.context.invocation.waitUntil(done);
  }
}
