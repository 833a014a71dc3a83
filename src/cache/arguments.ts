import type { LoadOptions, TagsOf } from "../client/client.js";
import type { AcquireOptions } from "../client/lock.js";
import { show } from "../core/errors.js";
import { checkWellFormed, type Key, StoredKey } from "../core/key.js";
import {
  type Check,
  type Checks,
  isBoolean,
  isFunction,
  isOneOf,
  isPositiveInteger,
  isString,
  wrongOption,
} from "../core/options.js";
import { type Duration, toMs, toWindowMs } from "../core/time.js";
import { toTags } from "../tags/tags.js";
import {
  type AddOptions,
  type GetOrSetOptions,
  type IncrOptions,
  type KeyOptions,
  type LoadingOptions,
  type LockOptions,
  lockDefaults,
  type MethodOptions,
  type ScanOptions,
  type ScanSetOptions,
  type StoreOptions,
  type TtlOptions,
} from "./method-options.js";
import type { Settings } from "./settings.js";

/** Options that are `null` here are checked where the method converts them, before any I/O. */
export const keyChecks: Checks<KeyOptions> = { version: null, prefix: null };
const ttl: Checks<TtlOptions> = { ...keyChecks, ttl: null };
const incr: Checks<IncrOptions> = { ...ttl, create: isBoolean };
const tagged: Checks<AddOptions> = { ...ttl, tags: null };
const load: Checks<GetOrSetOptions> = {
  ...tagged,
  forceRefresh: isBoolean,
  signal: null,
  softTimeout: null,
  hardTimeout: null,
};
const scan: Checks<ScanOptions> = { ...keyChecks, scanCount: isPositiveInteger };
const scanSet: Checks<ScanSetOptions> = { ...scan, match: isString };
const store: Checks<StoreOptions> = { ...keyChecks, versionDestination: null, versionKeys: null };

/** Methods with other options than `KeyOptions`. */
export type WithOwnOptions = {
  [M in keyof MethodOptions]: [keyof MethodOptions[M], keyof KeyOptions] extends [
    keyof KeyOptions,
    keyof MethodOptions[M],
  ]
    ? never
    : M;
}[keyof MethodOptions];

/** The checks of their options. A method or an option without its check doesn't compile. */
export const ownChecks: { readonly [M in WithOwnOptions]: Checks<MethodOptions[M]> } = {
  get: { ...keyChecks, default: null },
  set: { ...tagged, nx: isBoolean, xx: isBoolean },
  add: tagged,
  getOrSet: load,
  getOrSetMany: load,
  setMany: tagged,
  mset: ttl,
  incr,
  decr: incr,
  keys: scan,
  iterKeys: scan,
  deletePattern: { ...scan, onProgress: isFunction },
  clear: { prefix: null, scanCount: isPositiveInteger, onProgress: isFunction },
  purgeTags: { soft: isBoolean, match: isOneOf("any", "all"), only: isOneOf("http", "data") },
  lock: { prefix: null, ttl: null, waitTimeout: null, retryEvery: null, signal: null, renew: isBoolean },
  for: { waitUntil: isFunction, signal: null, memo: isBoolean },
  "sets.differenceStore": store,
  "sets.intersectionStore": store,
  "sets.unionStore": store,
  "sets.scan": scanSet,
  "sets.iterate": scanSet,
};

/** The options of calls that give none: one object for all, as they are the most frequent and need no check. */
export const NO_OPTIONS: Readonly<Record<string, never>> = Object.freeze({});

/**
 * The options of a call, when they are in order.
 * @throws TypeError naming the option that is unknown or wrong, or what was given in the place of options
 */
export function checked<M extends keyof MethodOptions>(method: M, options: MethodOptions[M]): MethodOptions[M] {
  if (options === NO_OPTIONS) return options;
  const checks: Readonly<Record<string, Check | null>> = ownChecks[method as WithOwnOptions] ?? keyChecks;
  if (!isRecord(options)) {
    throw new TypeError(`${method}: options are ${show(options)}; give an object such as ${example(checks)}`);
  }
  for (const name in options) {
    const isOwn = Object.hasOwn(options, name);
    if (isOwn && checks[name] === null) continue;
    const wrong = isOwn ? wrongOption(name, options[name], checks) : inherited(name);
    if (wrong !== undefined) throw new TypeError(`${method}: ${wrong}`);
  }
  return options;
}

/** Whether something is an object with names of the caller's own, unlike an array, a Date, a Map, a Promise or a key. */
export function isRecord(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (Object.getPrototypeOf(value) === Object.prototype) return true;
  return Object.prototype.toString.call(value) === "[object Object]" && !(value instanceof StoredKey);
}

/** A copy of options would not have it. What other code gave to all objects is no option. */
function inherited(name: string): string | undefined {
  if (name in Object.prototype) return undefined;
  return `option ${show(name)} is inherited; give an object that has it itself`;
}

function example(checks: object): string {
  if ("waitUntil" in checks) return "{ waitUntil: (work) => ctx.waitUntil(work) }";
  return "ttl" in checks ? "{ ttl: 60 }" : '{ prefix: "tenant" }';
}

/** A lifetime in milliseconds; `null` never expires. @throws TypeError */
export function toTtlMs(ttl: Duration | null | undefined, defaultMs: number | null): number | null {
  if (ttl === undefined) return defaultMs;
  return ttl === null ? null : toMs(ttl, "ttl");
}

/** What `getOrSet` passes to the client. @throws TypeError */
export function toLoadOptions(
  { ttl, forceRefresh, signal, softTimeout, hardTimeout, tags }: LoadingOptions & { readonly tags?: unknown },
  { ttlMs: defaultTtlMs, namespaces }: Pick<Settings, "ttlMs" | "namespaces">,
  invocationSignal: AbortSignal | undefined,
): LoadOptions {
  return {
    ttlMs: toTtlMs(ttl, defaultTtlMs),
    forceRefresh,
    tags: toTagsOf(tags, namespaces),
    signal: signal === undefined ? invocationSignal : toSignal(signal, invocationSignal),
    softTimeoutMs: softTimeout === undefined ? undefined : toWindowMs(softTimeout, "softTimeout"),
    hardTimeoutMs:
      hardTimeout === undefined ? undefined : hardTimeout === null ? Infinity : toWindowMs(hardTimeout, "hardTimeout"),
  };
}

/**
 * The tags of values, those of their namespaces too; `undefined` where there are none.
 * @throws TypeError, also when it is called, on wrong tags
 */
export function toTagsOf(given: unknown, namespaces: readonly string[]): TagsOf | undefined {
  const all = (tags: unknown): readonly string[] =>
    namespaces.length === 0 ? toTags(tags, "tags") : toTags([...namespaces, ...toTags(tags, "tags")], "tags");
  if (given === undefined && namespaces.length === 0) return undefined;
  if (typeof given === "function") return (value, key) => all(given(value, key));
  const tags = all(given === undefined ? [] : given);
  return () => tags;
}

/** A renewal takes a round trip, and timers are late by some milliseconds. */
const SHORTEST_RENEWED_MS = 100;

/** How `lock` takes a lock. @throws TypeError */
export function toAcquireOptions(options: LockOptions, invocationSignal: AbortSignal | undefined): AcquireOptions {
  const { ttl = lockDefaults.ttl, waitTimeout = lockDefaults.waitTimeout } = options;
  const { retryEvery = lockDefaults.retryEvery, renew = lockDefaults.renew } = options;
  const ttlMs = toWindowMs(ttl, "ttl");
  if (ttlMs === 0) throw new TypeError("ttl: a lock needs a lifetime; give a duration above 0");
  if (renew && ttlMs < SHORTEST_RENEWED_MS)
    throw new TypeError(
      `ttl: ${show(ttl)} is too short to renew a lock in time; give "100ms" or more, or leave renew out`,
    );
  return {
    ttlMs,
    waitMs: toWindowMs(waitTimeout, "waitTimeout"),
    // At least one turn of a timer, so that waiting never keeps a processor busy.
    retryEveryMs: Math.max(1, toWindowMs(retryEvery, "retryEvery")),
    signal: toSignal(options.signal, invocationSignal),
    renew,
  };
}

/** Fires with the call's signal and with the invocation's. @throws TypeError */
export function toSignal(given: unknown, invocation: AbortSignal | undefined): AbortSignal | undefined {
  if (given === undefined) return invocation;
  if (!isSignal(given)) {
    throw new TypeError(
      `signal: ${show(given)} is not an AbortSignal; give a controller's signal, or AbortSignal.timeout()`,
    );
  }
  return invocation ? AbortSignal.any([given, invocation]) : given;
}

/** Also a signal of another realm: where tests simulate a browser, a request's signal is no instance of its AbortSignal. */
function isSignal(value: unknown): value is AbortSignal {
  if (value instanceof AbortSignal) return true;
  return Object.prototype.toString.call(value) === "[object AbortSignal]";
}

/** The values of an iterable. A string is refused, as it would be split into letters. @throws TypeError */
export function several(values: unknown, name: string): unknown[] {
  if (typeof values === "object" && values !== null && Symbol.iterator in values && !ArrayBuffer.isView(values)) {
    return [...(values as Iterable<unknown>)];
  }
  throw new TypeError(`${name}: ${show(values)} is not a list; give an array, a Set or another iterable`);
}

/** @throws TypeError when the value is `undefined`, which stands for a miss */
export function checkValue(value: unknown, key: string): void {
  if (value !== undefined) return;
  throw new TypeError(
    `key ${show(key)}: undefined can't be stored, as get() returns it on a miss; store null, or delete the key`,
  );
}

/** The error for a loader that is not a function. */
export function notALoader(loader: unknown, result: string): TypeError {
  return new TypeError(`loader: ${show(loader)} is not a function; give one that returns ${result}`);
}

/** What a loader of several keys returned, by key. @throws TypeError */
export function toLoaded(loaded: unknown): ReadonlyMap<unknown, unknown> {
  if (loaded instanceof Map) return loaded;
  if (isRecord(loaded)) return new Map(Object.entries(loaded));
  throw new TypeError(`loader: it returned ${show(loaded)}; return a Map or an object that has the values by key`);
}

/** The pairs of a `Map`, of an iterable of pairs, or of a record. @throws TypeError */
export function toPairs(entries: unknown): [key: Key, value: unknown][] {
  if (isRecord(entries) && !(Symbol.iterator in entries)) return Object.entries(entries);
  if (typeof entries !== "object" || entries === null || !(Symbol.iterator in entries)) {
    throw new TypeError(`entries: ${show(entries)} has no entries; give a Map, pairs, or an object`);
  }
  return several(entries, "entries").map((pair) => {
    if (!Array.isArray(pair)) throw new TypeError(`entries: ${show(pair)} is not a pair; give [key, value]`);
    return [pair[0], pair[1]];
  });
}

/** @throws TypeError when `delta` is not an integer of 64 bits, the server's range */
export function toInt64(delta: unknown): bigint {
  if (typeof delta === "bigint" ? BigInt.asIntN(64, delta) === delta : Number.isSafeInteger(delta)) {
    return BigInt(delta as number | bigint);
  }
  throw new TypeError(
    `delta: ${show(delta)} is not a whole number of 64 bits; give an integer, or a bigint beyond ±2^53`,
  );
}

/** @throws TypeError when `delta` is not an integer */
export function toStep(delta: unknown): number {
  if (typeof delta === "number" && Number.isSafeInteger(delta)) return delta;
  throw new TypeError(`delta: ${show(delta)} is not a whole number; give an integer`);
}

/** Milliseconds since the epoch, from a `Date` or from seconds since the epoch. @throws TypeError */
export function toMoment(at: unknown): number {
  const atMs = Math.round(at instanceof Date ? at.getTime() : typeof at === "number" ? at * 1_000 : Number.NaN);
  if (Number.isSafeInteger(atMs)) return atMs;
  throw new TypeError(`at: ${show(at)} is not a moment; give a Date, or seconds since the epoch`);
}

/** @throws TypeError when `count` is not an integer, or is negative where that is not allowed */
export function checkCount(count: unknown, { negative }: { negative: boolean }): void {
  if (Number.isSafeInteger(count) && (negative || Number(count) >= 0)) return;
  const range = negative ? "below 0 to allow repeats" : "0 or more";
  throw new TypeError(`count: ${show(count)} is not a count; give a whole number, ${range}`);
}

/** @throws TypeError when `cursor` is not an unsigned integer of 64 bits in decimal */
export function checkCursor(cursor: unknown): void {
  if (typeof cursor === "string" && /^\d{1,20}$/.test(cursor) && BigInt(cursor) < 2n ** 64n) return;
  throw new TypeError(`cursor: ${show(cursor)} is not a cursor; give "0", or the one of the page before`);
}

/** @throws TypeError when a method that takes no options is given some */
export function checkNoOptions(method: string, given: unknown): void {
  if (given === undefined) return;
  throw new TypeError(`${method}: it has no options, and was given ${show(given)}; leave that out`);
}

/** @throws TypeError when `field` is not a string, or UTF-8 can't hold it */
export function checkField(field: unknown): string {
  if (typeof field !== "string") throw new TypeError(`field: ${show(field)} is not a field; give a string`);
  checkWellFormed(field, "field");
  return field;
}

/** The fields of a `Map` or a record. @throws TypeError */
export function toFields(what: unknown): [field: string, value: unknown][] {
  const entries = what instanceof Map ? [...what] : isRecord(what) ? Object.entries(what) : undefined;
  if (entries) return entries.map(([field, value]) => [checkField(field), value]);
  throw new TypeError(
    `hashes.set: ${show(what)} is neither a field nor a record; give a string and a value, an object, or a Map`,
  );
}
