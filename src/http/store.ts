import type { Cache } from "../cache/cache.js";
import { SET_NX_GET, UnavailableError } from "../core/availability.js";
import type { Command } from "../core/connection.js";
import { refusesWrites, throwIfError } from "../core/errors.js";
import type { Changes } from "../core/near.js";
import { isReplaceable, Lease, type LeaseContext } from "../lease/lease.js";
import { readOrClaim } from "../lease/read-or-claim.js";
import { judge, readLog, sendWithLog, type Verdict } from "../tags/purge-log.js";
import { newGeneration, selectorHash, variantKey, variantStem } from "./keys.js";
import { METHOD, report } from "./observed.js";
import type { Settings } from "./options.js";
import type { Reads } from "./reads.js";
import { type Entry, type Index, readRecord, type Stored } from "./record.js";
import type { Fields, RequestHead } from "./rfc/message.js";
import { mostRecent, selector } from "./rfc/vary.js";
import { PURGE, SOFTEN } from "./scripts.js";
import type { State } from "./state.js";

/** Where the response to a request is stored: under the URL's key, or as a variant of the URL. */
export interface StoreLocation {
  readonly base: string;
  readonly index: { readonly index: Index; readonly bytes: Uint8Array } | undefined;
}

export type LookupResult =
  /** A response that matches the request. */
  | { readonly kind: "response"; readonly entry: Entry; readonly location: StoreLocation }
  /** A response that was purged by label. It counts as absent, but its lease must be claimed. */
  | { readonly kind: "purged"; readonly entry: Entry; readonly location: StoreLocation }
  /** No response; with the lease, where it was requested and free. */
  | { readonly kind: "none"; readonly lease: Lease | undefined; readonly location: StoreLocation }
  /** No response, and a mark that requests need not wait for each other. A response that can be stored replaces it. */
  | {
      readonly kind: "uncacheable";
      readonly lease: Lease;
      readonly location: StoreLocation;
      /** The last response was too large. */
      readonly isLarge: boolean;
    }
  /** Another request has the lease, with this token. */
  | { readonly kind: "busy"; readonly key: string; readonly holder: string; readonly location: StoreLocation }
  /** The store has failed. */
  | { readonly kind: "failed" };

type Read = { readonly kind: "absent" } | { readonly kind: "claimed"; readonly lease: Lease } | Stored;

/** When the lease is taken where there is no response: in the same round trip, after a plain read has found nothing, or not. */
export type Claims = "now" | "later" | "no";

/** A read of a URL's own key that has begun, and how often the purge log was read before it. */
export interface PendingRead {
  readonly stored: Promise<Stored | undefined>;
  readonly logReads: number;
}

const REPEATABLE = { idempotent: true };
const NOTHING = { reply: null, token: "" };

/** Looks up stored responses over the connection of one invocation. */
export class Store {
  readonly #cache: Cache;
  readonly #state: State;
  readonly #settings: Settings;
  readonly #reads: Reads;
  readonly leases: LeaseContext;

  constructor(cache: Cache, state: State, settings: Settings, waitUntil: LeaseContext["waitUntil"]) {
    this.#cache = cache;
    this.#state = state;
    this.#settings = settings;
    this.#reads = state.reads(cache.shared);
    const { clock, leaseMs } = settings;
    this.leases = {
      connection: cache.connection,
      clock,
      leaseMs,
      graceMs: 0,
      held: cache.events.held,
      waitUntil,
      onError(error, key) {
        if (error instanceof UnavailableError) {
          settings.onError(error, { method: "renew", key });
          cache.report(withCost(error), METHOD, key);
        } else report(cache, settings, error, { step: "renew", key });
      },
      onRenewed: (key, held) => cache.events.emit("renew", () => ({ method: METHOD, key, held })),
    };
  }

  /** The response under a URL's own key that this process knows, if it has no Vary, and is known not to be purged. */
  recall(base: string): Entry | undefined {
    return this.#usable(this.#reads.recall(base), this.#state.log.isCurrent());
  }

  /** Whether reads may be answered from the process. */
  get isNear(): boolean {
    return this.#cache.shared.near !== undefined;
  }

  /** The next change of a stored key; `undefined` where changes are not reported. */
  changes(key: string): Changes | undefined {
    return this.#cache.shared.near?.changes([key]);
  }

  /** Begins to read a URL's own key, if it was read a moment ago. `find` continues from it. */
  beginRead(base: string): PendingRead | undefined {
    if (!this.#state.recentlyFresh.has(base, this.#settings.clock.now())) return undefined;
    return { stored: this.#reads.get(base), logReads: this.#state.log.reads };
  }

  /** The response that a pending read has found, if it has no Vary, and if it is known without another round trip that it is not purged. */
  usableEntry(stored: Stored | undefined, { logReads }: PendingRead): Entry | undefined {
    return this.#usable(stored, this.#knowsLog(logReads));
  }

  #usable(stored: Stored | undefined, knowsLog: boolean): Entry | undefined {
    if (stored?.kind !== "response") return undefined;
    const { head } = stored.entry;
    if (head.labels.length > 0 && !(knowsLog && this.#state.log.verdict(head, "http") === "good")) return undefined;
    return stored.entry;
  }

  /** Whether what is known of the purge log is newer than a request. @param logReads how often it had been read before */
  #knowsLog(logReads: number): boolean {
    return this.#state.log.reads > logReads || this.#state.log.isCurrent();
  }

  /**
   * Looks up the response to a request: one round trip without Vary, two with. Never rejects.
   * @param pendingRead of the URL's own key
   */
  async find(base: string, request: RequestHead, claims: Claims, pendingRead?: PendingRead): Promise<LookupResult> {
    let key = base;
    const reads = pendingRead?.logReads ?? this.#state.log.reads;
    try {
      const read = await this.#read(base, claims, pendingRead);
      if (read.kind !== "index") return await this.#toLookupResult(read, base, { base, index: undefined }, reads);
      const location = { base, index: read };
      const keys = await variantKeys(base, read.index, request.fields);
      [key = base] = keys;
      return await this.#toLookupResult(await this.#readVariant(keys, claims), key, location, reads);
    } catch (error) {
      const failed = (cause: unknown): void => report(this.#cache, this.#settings, cause, { step: "find", key });
      failed(error);
      if (isReplaceable(error)) this.#delete(key).catch(failed);
      return { kind: "failed" };
    }
  }

  /**
   * Deletes what is stored under URLs' keys with all their variants, and every lease on it.
   * @returns how many responses there were
   * @throws {ConnectionError} @throws {ReplyError}
   */
  async purge(bases: readonly string[]): Promise<number> {
    for (const base of bases) this.#state.recentlyFresh.delete(base);
    const { connection } = this.#cache;
    const purges = bases.map((base) => connection.script(PURGE, [base], [variantStem(base)], REPEATABLE));
    const purged = await Promise.all(purges);
    return purged.reduce<number>((sum, count) => sum + Number(count), 0);
  }

  /** Purges softly what is stored under a URL's key with all its variants, or under the key of one variant. @returns how many responses @throws {ConnectionError} @throws {ReplyError} */
  async soften(key: string): Promise<number> {
    const softened = await this.#cache.connection.script(SOFTEN, [key], [variantStem(key), newGeneration()]);
    return Number(softened);
  }

  async #delete(key: string): Promise<void> {
    this.#state.recentlyFresh.delete(key);
    const [reply = null] = await this.#cache.connection.send([["UNLINK", key]], REPEATABLE);
    throwIfError(reply);
  }

  async #toLookupResult(read: Read, key: string, location: StoreLocation, logReads: number): Promise<LookupResult> {
    switch (read.kind) {
      case "absent":
        return { kind: "none", lease: undefined, location };
      case "claimed":
        return { kind: "none", lease: read.lease, location };
      case "uncacheable":
        return {
          kind: "uncacheable",
          lease: new Lease(this.leases, key, read.token, "marker"),
          location,
          isLarge: read.isLarge,
        };
      case "lease":
        return { kind: "busy", key, holder: read.token, location };
      // A variant's key holds no index, unless it was spoilt.
      case "index":
        return { kind: "busy", key, holder: "", location };
      case "response": {
        const { entry } = read;
        const verdict = entry.head.labels.length > 0 ? await this.#verdict(entry, logReads) : "good";
        if (verdict === "hard") return { kind: "purged", entry, location };
        return { kind: "response", entry: verdict === "soft" ? { ...entry, invalid: true } : entry, location };
      }
    }
  }

  async #verdict({ head }: Entry, logReads: number): Promise<Verdict> {
    const { log } = this.#state;
    log.inUse = true;
    // The round trip that read the entry may not have read the log, as labels were not in use. From now on all of them do.
    if (!this.#knowsLog(logReads)) await readLog(this.#cache.connection, log);
    return judge(this.#cache.connection, log, head, "http");
  }

  /** Reads one key, and the new records of the purge log in the same round trip; or neither, where the process knows both. */
  async #read(key: string, claims: Claims, pendingRead?: PendingRead): Promise<Read> {
    const { recentlyFresh } = this.#state;
    // A key that was there a moment ago is read with a plain GET, which is shared and cheaper than a claim that fails.
    const isRead = claims !== "now" || recentlyFresh.has(key, this.#settings.clock.now());
    const stored = await (pendingRead?.stored ??
      this.#reads.recall(key) ??
      (isRead ? this.#reads.get(key) : undefined));
    if (stored) return this.#note(stored, key);
    if (pendingRead || isRead) {
      if (claims === "no") return { kind: "absent" };
      recentlyFresh.delete(key);
    }
    return this.#readOrClaim(key);
  }

  async #readOrClaim(key: string): Promise<Read> {
    const send = (commands: readonly Command[]) =>
      sendWithLog(this.#cache.connection, this.#state.log, commands, REPEATABLE);
    const [{ reply, token } = NOTHING] = await readOrClaim(this.leases, [key], send);
    if (refusesWrites(reply)) return this.#read(key, "no");
    const bytes = throwIfError(reply);
    // A response may be stored under a lease alone, as a purge ends those.
    if (bytes === null && token === "") return { kind: "absent" };
    const claimed = { kind: "claimed", lease: new Lease(this.leases, key, token) } as const;
    if (!(bytes instanceof Uint8Array)) return claimed;
    const stored = readRecord(bytes, key);
    // A lease of this caller: the command was repeated after its first reply was lost.
    return stored.kind === "lease" && stored.token === token ? claimed : this.#note(stored, key);
  }

  #note(stored: Stored, key: string): Stored {
    const { recentlyFresh } = this.#state;
    if (stored.kind === "response") recentlyFresh.add(key, stored.entry.expiresMs);
    if (stored.kind === "index") recentlyFresh.add(key, this.#settings.clock.now() + this.#settings.leaseMs);
    return stored;
  }

  async #readVariant(keys: readonly string[], claims: Claims): Promise<Read> {
    const [newest = ""] = keys;
    if (keys.length === 1) return this.#read(newest, claims);
    const reads = await Promise.all(keys.map((key) => this.#reads.recall(key) ?? this.#reads.get(key)));
    const entries = reads.flatMap((read) => (read?.kind === "response" ? [{ stored: read.entry.head, read }] : []));
    const best = mostRecent(entries);
    return best ? best.read : this.#read(newest, claims);
  }
}

/** Adds to a refusal what it costs. */
function withCost(error: UnavailableError): UnavailableError {
  const cost =
    error.what === SET_NX_GET
      ? "the HTTP cache takes its leases by a script meanwhile, at the same number of round trips"
      : "the HTTP cache stores no responses meanwhile, as purges could not reach those that are being made";
  return new UnavailableError(error.what, error, cost);
}

/** The keys where the response to a request may be: one for each list of field names in the URL's index, the newest first. */
function variantKeys(base: string, { names, generation }: Index, request: Fields): Promise<string[]> {
  return Promise.all(
    names.map(async (list) => variantKey(base, generation, await selectorHash(selector(list, request)))),
  );
}
