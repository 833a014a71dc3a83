import type { Cache } from "../cache/cache.js";
import { throwIfError } from "../core/errors.js";
import { type Lease, newToken } from "../lease/lease.js";
import type { Stamp } from "../tags/purge-log.js";
import { labelHashes, newGeneration, selectorHash, variantKey } from "./keys.js";
import { METHOD } from "./observed.js";
import type { Settings } from "./options.js";
import {
  type Entry,
  type Head,
  type Index,
  indexRecord,
  readRecord,
  responseRecord,
  type Stored,
  uncacheableRecord,
} from "./record.js";
import { type Labels, responseLabels } from "./rfc/invalidation.js";
import { type Fields, hasField, type RequestHead } from "./rfc/message.js";
import { usefulMs } from "./rfc/select.js";
import type { StoredResponse } from "./rfc/stored-response.js";
import { prefixesOf, toTarget } from "./rfc/target.js";
import { selector } from "./rfc/vary.js";
import { PUBLISH_RESPONSE } from "./scripts.js";
import type { State } from "./state.js";
import type { StoreLocation } from "./store.js";

type IndexRead = Extract<Stored, { kind: "index" }>;

/** Maximum number of lists of field names that are looked up; the newest ones count. */
const MAX_NAMES = 4;
/** Maximum number of retries after another variant of the URL was stored meanwhile. */
const MAX_TRIES = 16;

/** Where to store a record, and the URL's index that it belongs to. */
interface Publication {
  /** The URL's own key. */
  readonly base: string;
  /** The bytes that the URL's key must still hold, where the lease is on another key; else empty. */
  readonly expected: Uint8Array | "";
  /** The new index of the URL's variants, where it changes; else empty. */
  readonly index: Uint8Array | "";
  readonly target: string;
  readonly record: Uint8Array;
  readonly ttlMs: number;
  /** Keys of variants to delete. */
  readonly evicted: readonly string[];
  /** Called when the script has been sent. */
  readonly onSent?: (() => void) | undefined;
}

/** A response to store, and what storing it depends on. */
export interface Storing {
  readonly request: RequestHead;
  readonly stored: StoredResponse;
  readonly labels: Labels;
  /** The position of the purge log before the request went to the origin. */
  readonly stamp: Stamp | undefined;
  readonly lease: Lease;
  readonly location: StoreLocation;
  /** Called when the write is sent. */
  readonly onSent?: (() => void) | undefined;
}

/** Writes responses to the store, each under its lease. Every method rejects when the store fails. */
export class Publisher {
  readonly #cache: Cache;
  readonly #state: State;
  readonly #settings: Settings;

  constructor(cache: Cache, state: State, settings: Settings) {
    this.#cache = cache;
    this.#state = state;
    this.#settings = settings;
  }

  /**
   * Stores a response with its body. @returns whether the lease was still held
   * @param isPacked whether the body is compressed already; `undefined` to compress it now
   */
  store(storing: Storing, body: Uint8Array, isPacked?: boolean): Promise<boolean> {
    return this.#orYield(storing.lease, () => this.#store(storing, body, isPacked));
  }

  async #store(storing: Storing, body: Uint8Array, isPacked: boolean | undefined): Promise<boolean> {
    const { stored, labels, request } = storing;
    const target = this.#settings.prefixPurges ? toTarget(request.url) : undefined;
    const prefixes = target ? prefixesOf(target) : [];
    const hashes = await labelHashes({ ...labels, prefixes }, this.#settings.name, request.url);
    // The first stamp of a process takes a round trip of its own.
    const stamp = hashes.length > 0 ? await this.#stamp(storing.stamp) : undefined;
    const isEncoded = isPacked !== undefined || hasField(stored.fields, "content-encoding");
    const packed = isEncoded ? undefined : await this.#cache.codec.compressBytes(body);
    const head: Head = { ...stored, labels: hashes, stamp, packed: isPacked ?? packed !== undefined };
    return this.#put(storing, head, packed ?? body);
  }

  async #put({ request, lease, location, onSent }: Storing, head: Head, body: Uint8Array): Promise<boolean> {
    const nowMs = this.#settings.clock.now();
    const ttlMs = usefulMs(head, this.#settings.graceMs, nowMs);
    if (!(ttlMs > 0)) {
      await lease.yield(0);
      return false;
    }
    const expiresMs = Math.min(nowMs + ttlMs, 1e15 - 1);
    const record = responseRecord(head, body, expiresMs);
    const hash = head.vary.length > 0 ? await selectorHash(selector(head.vary, request.fields)) : undefined;
    let current = lease.key === location.base ? undefined : location.index;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const target = this.#target(location.base, current?.index, head.vary, hash, expiresMs);
      const expected = current?.bytes ?? "";
      const result = await publish(lease, { base: location.base, expected, record, ttlMs, onSent, ...target });
      if (result === true) {
        this.#cache.events.emit("set", () => ({ method: METHOD, key: target.target, count: 1, bytes: record.length }));
        return true;
      }
      if (result === false) return this.#fenced(lease);
      // Purged meanwhile, or the lease is on another key than it would have to be.
      if (!result || !current || result.index.generation !== current.index.generation) break;
      current = result;
    }
    await lease.yield(0);
    return this.#fenced(lease);
  }

  #fenced({ key }: Lease): false {
    this.#cache.events.emit("fenced", () => ({ method: METHOD, key }));
    return false;
  }

  /** Stores a validated response with its body as it is. A response with too many labels to be purged is dropped. */
  async freshen(
    storing: Omit<Storing, "stored" | "labels"> & { readonly preset: Fields | undefined },
    { head, body }: Entry,
    stored: StoredResponse,
  ): Promise<void> {
    const labels = responseLabels(stored.fields, storing.preset);
    if (labels) await this.store({ ...storing, stored, labels }, body, head.packed);
    else await storing.lease.drop();
  }

  /**
   * Marks a URL as uncacheable for a while, so that requests do not wait for each other.
   * @param isLarge whether its response was too large, so that the next ones need not be collected
   */
  async markUncacheable(lease: Lease, isLarge = false): Promise<void> {
    const ttlMs = this.#settings.uncacheableMs;
    const record = uncacheableRecord(newToken(), this.#settings.clock.now() + ttlMs, isLarge);
    this.#state.recentlyFresh.delete(lease.key);
    const { key } = lease;
    const publication = { base: key, expected: "", index: "", target: key, record, ttlMs, evicted: [] } as const;
    await this.#orYield(lease, () => publish(lease, publication));
  }

  /** Gives the lease up where its work fails, so that waiters need not wait for its end. @throws what the work throws */
  async #orYield<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // A second error has the same cause as the one that is thrown.
      await lease.yield(this.#settings.retryAfterMs).catch(() => {});
      throw error;
    }
  }

  async #stamp(before: Stamp | undefined): Promise<Stamp | undefined> {
    const { log } = this.#state;
    log.inUse = true;
    return before ?? log.begin(this.#cache.connection);
  }

  #target(
    base: string,
    index: Index | undefined,
    names: readonly string[],
    hash: string | undefined,
    expiresMs: number,
  ) {
    const keyOf = (generation: string) => (variant: string) => variantKey(base, generation, variant);
    if (hash === undefined) {
      const evicted = index ? index.variants.map(keyOf(index.generation)) : [];
      return { index: "", target: base, evicted } as const;
    }
    const next = index ?? { generation: newGeneration(), names: [], variants: [] };
    const all = next.variants.includes(hash) ? next.variants : [hash, ...next.variants];
    const others = next.names.filter((list) => list.join() !== names.join());
    const updated: Index = {
      generation: next.generation,
      names: [names, ...others].slice(0, MAX_NAMES),
      variants: all.slice(0, this.#settings.maxVariants),
    };
    const isSame = all === next.variants && next.names[0]?.join() === names.join();
    return {
      index: isSame ? ("" as const) : indexRecord(updated, expiresMs),
      target: variantKey(base, next.generation, hash),
      evicted: all.slice(this.#settings.maxVariants).map(keyOf(next.generation)),
    };
  }
}

/**
 * Stores a record under its lease.
 * @returns whether the lease was still held; the URL's index, if it changed since it was read; `undefined` if there is none now
 * @throws {ConnectionError} @throws {ReplyError} @throws {DecodeError}
 */
async function publish(lease: Lease, publication: Publication): Promise<boolean | IndexRead | undefined> {
  const { base, expected, index, target, record, ttlMs, evicted, onSent } = publication;
  const args = [expected, index, record, String(Math.max(1, Math.ceil(ttlMs)))];
  const published = lease.finish(PUBLISH_RESPONSE, [base, target, ...evicted], args);
  onSent?.();
  const reply = throwIfError(await published);
  if (reply === 1 || reply === 0) return reply === 1;
  if (!(reply instanceof Uint8Array)) return undefined;
  const stored = readRecord(reply, base);
  return stored.kind === "index" ? stored : undefined;
}

/** Shorter values occur by accident. */
const MIN_LENGTH = 8;
/** Fields that all clients send alike, or that say nothing to a handler. */
const COMMON: ReadonlySet<string> = new Set(["accept", "accept-encoding", "connection", "host"]);

const warned = new Set<string>();

/**
 * Warns, once for each field in a process, when a response that is stored for all clients has the value of a request field
 * that it doesn't name in Vary. It is a hint for development, used with the option `debug`.
 * @param request the fields that the handler has seen
 */
export function warnOfEcho(request: Fields, stored: Pick<StoredResponse, "vary" | "fields">, body: Uint8Array): void {
  const unnamed = request.filter(
    ([name, value]) =>
      value.length >= MIN_LENGTH && !COMMON.has(name) && !stored.vary.includes(name) && !warned.has(name),
  );
  if (unnamed.length === 0) return;
  const text = [new TextDecoder().decode(body), ...stored.fields.map(([, value]) => value)].join("\n");
  for (const [name, value] of unnamed) {
    if (!text.includes(value)) continue;
    warned.add(name);
    console.warn(
      `valkey-edge-cache: a response that is stored for all clients shows the request's ${name}; add it to the response's Vary, or keep it from handlers with the option unkeyedFields`,
    );
  }
}
