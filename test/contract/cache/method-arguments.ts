import type { Cache } from "../../../src/cache/cache.js";
import type { MethodOptions } from "../../../src/cache/method-options.js";
import { StoredKey } from "../../../src/core/key.js";

type MethodsOf<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T] & string;

/** Every method for users, but `close`. */
export type MethodName =
  | Exclude<MethodsOf<Cache>, "close" | "track" | "report">
  | `sets.${MethodsOf<Cache["sets"]>}`
  | `hashes.${MethodsOf<Cache["hashes"]>}`;

/** The methods that have no options. Every other one has to be in `MethodOptions`. */
export type WithoutOptions = "flush" | "health" | "namespace" | "on";

type MethodOf<M> = M extends `sets.${infer S extends keyof Cache["sets"]}`
  ? Cache["sets"][S]
  : M extends `hashes.${infer H extends keyof Cache["hashes"]}`
    ? Cache["hashes"][H]
    : M extends keyof Cache
      ? Cache[M]
      : never;
type LastParameter<F> = F extends (...args: infer A) => unknown
  ? Required<A> extends [...unknown[], infer Last]
    ? Last
    : never
  : never;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** The methods whose options differ from those in the table that their calls are checked against. */
export type Unlike =
  | {
      [M in keyof MethodOptions]: Same<keyof LastParameter<MethodOf<M>>, keyof MethodOptions[M]> extends true
        ? never
        : M;
    }[keyof MethodOptions]
  | Exclude<Exclude<MethodName, WithoutOptions>, keyof MethodOptions>
  | Exclude<keyof MethodOptions, MethodName>;

/** What an argument must not be, and the beginning of the message that says so. */
interface Kind {
  readonly wrong: readonly unknown[];
  readonly says: RegExp;
}

const [text, symbol, none, some] = ["a", Symbol("a"), {}, [1]];
const nothing = new Date(Number.NaN);

const key: Kind = { wrong: ["", 5, 0, null, undefined, none, some, true, symbol, () => 1, Number.NaN], says: /^key: / };
const value: Kind = { wrong: [undefined], says: /^key .*: undefined can't be stored/ };
const loader: Kind = { wrong: [undefined, null, 5, text, none, some, Promise.resolve(1)], says: /^loader: / };
const keys: Kind = {
  wrong: [undefined, null, 5, text, none, [text, 5], [""], [undefined], new Uint8Array(1), Promise.resolve([])],
  says: /^keys?: /,
};
const someKeys: Kind = { ...keys, wrong: [...keys.wrong, []] };
const entries: Kind = {
  wrong: [
    undefined,
    null,
    5,
    text,
    ["ab"],
    [[5, 1]],
    [[text]],
    { a: undefined },
    { "": 1 },
    nothing,
    Promise.resolve(),
  ],
  says: /^entries: |^key: |^key .*: undefined can't be stored/,
};
const delta: Kind = {
  wrong: ["1", null, 0.5, Number.NaN, Number.POSITIVE_INFINITY, none, some, [], true, symbol, 2 ** 53],
  says: /^delta: /,
};
const durations = [
  "",
  [],
  false,
  true,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "0x5s",
  "5",
  "5 parsecs",
  none,
  5n,
  nothing,
];
const newTtl: Kind = { wrong: durations, says: /^ttl: / };
const ttl: Kind = { ...newTtl, wrong: [...durations, null, undefined] };
const moment: Kind = {
  wrong: ["2030-01-01", "", null, undefined, false, Number.NaN, Number.POSITIVE_INFINITY, nothing, 1n, none, []],
  says: /^at: /,
};
const glob: Kind = { wrong: ["", 5, null, none, some, true, symbol], says: /^pattern: / };
const pattern: Kind = { ...glob, wrong: [...glob.wrong, undefined] };
const event: Kind = {
  wrong: ["nonsense", "constructor", "", undefined, null, 5, none, symbol],
  says: /^on: .*hit, miss, stale/,
};
const listener: Kind = { wrong: [undefined, null, 5, text, none], says: /^on: the listener of "hit" / };
const member: Kind = { wrong: [undefined, () => 1, symbol], says: /can't be stored/ };
const tags: Kind = {
  wrong: [
    undefined,
    null,
    5,
    text,
    none,
    [""],
    [5],
    ["a".repeat(1_025)],
    ["\ud800"],
    new Uint8Array(1),
    Promise.resolve([]),
  ],
  says: /^tags: /,
};
const members: Kind = { wrong: [undefined, null, 5, text, none, new Uint8Array(1)], says: /^members: / };
const size: Kind = { wrong: ["1", null, 0.5, Number.NaN, none, [], true, symbol], says: /^count: / };
const atLeastNone: Kind = { ...size, wrong: [...size.wrong, -1] };
const cursor: Kind = {
  wrong: ["", "there", "-1", ["0"], 5, null, none, symbol, "99999999999999999999"],
  says: /^cursor: /,
};
const field: Kind = { wrong: [undefined, null, 5, none, some, symbol], says: /^field: / };
const fields: Kind = { wrong: [undefined, null, 5, none, [5]], says: /^fields?: / };
const record: Kind = {
  wrong: [undefined, null, 5, some, nothing, new Set([1]), Promise.resolve(), new StoredKey("a")],
  says: /^hashes\.set: /,
};
const fieldValue: Kind = { wrong: [undefined], says: /^field "f": undefined can't be stored/ };

/** The arguments of each method before its options: one that is in order, and its kind. A new method has to have a row. */
export const METHODS: Readonly<Record<MethodName, readonly (readonly [valid: unknown, kind: Kind])[]>> = {
  get: [["a", key]],
  set: [
    ["a", key],
    [1, value],
  ],
  add: [
    ["a", key],
    [1, value],
  ],
  getOrSet: [
    ["a", key],
    [() => 1, loader],
  ],
  getOrSetMany: [
    [["a"], keys],
    [() => ({ a: 1 }), loader],
  ],
  getMany: [[["a"], keys]],
  mget: [[["a"], keys]],
  setMany: [[{ a: 1 }, entries]],
  mset: [[{ a: 1 }, entries]],
  delete: [["a", key]],
  deleteMany: [[["a"], keys]],
  expireSoftMany: [[["a"], keys]],
  has: [["a", key]],
  incr: [
    ["n", key],
    [1, delta],
  ],
  decr: [
    ["n", key],
    [1, delta],
  ],
  incrVersion: [
    ["v", key],
    [1, delta],
  ],
  decrVersion: [
    ["v", key],
    [1, delta],
  ],
  ttl: [["a", key]],
  touch: [
    ["a", key],
    [1, newTtl],
  ],
  expire: [
    ["a", key],
    ["1s", ttl],
  ],
  expireAt: [
    ["a", key],
    [4_102_444_800, moment],
  ],
  expireSoft: [["a", key]],
  persist: [["a", key]],
  keys: [["*", glob]],
  iterKeys: [["*", glob]],
  deletePattern: [["a*", pattern]],
  clear: [],
  purgeTags: [[["a"], tags]],
  flush: [],
  lock: [["a", key]],
  for: [],
  namespace: [
    ["a", { wrong: ["", 5, null, undefined, none, some, "\ud800", "x".repeat(1_025)], says: /^namespace: / }],
  ],
  on: [
    ["hit", event],
    [() => {}, listener],
  ],
  health: [],
  makeKey: [["a", key]],
  makePattern: [["a*", pattern]],
  "sets.add": [
    ["s", key],
    [[1], members],
  ],
  "sets.delete": [
    ["s", key],
    [[1], members],
  ],
  "sets.size": [["s", key]],
  "sets.has": [
    ["s", key],
    [1, member],
  ],
  "sets.hasMany": [
    ["s", key],
    [[1], members],
  ],
  "sets.members": [["s", key]],
  "sets.difference": [[["s"], someKeys]],
  "sets.intersection": [[["s"], someKeys]],
  "sets.union": [[["s"], someKeys]],
  "sets.differenceStore": [
    ["t", key],
    [["s"], someKeys],
  ],
  "sets.intersectionStore": [
    ["t", key],
    [["s"], someKeys],
  ],
  "sets.unionStore": [
    ["t", key],
    [["s"], someKeys],
  ],
  "sets.move": [
    ["s", key],
    ["t", key],
    [1, member],
  ],
  "sets.pop": [
    ["s", key],
    [1, atLeastNone],
  ],
  "sets.random": [
    ["s", key],
    [1, size],
  ],
  "sets.scan": [
    ["s", key],
    ["0", cursor],
  ],
  "sets.iterate": [["s", key]],
  "hashes.set": [
    ["h", key],
    ["f", record],
    [1, fieldValue],
  ],
  "hashes.get": [
    ["h", key],
    ["f", field],
  ],
  "hashes.getAll": [["h", key]],
  "hashes.delete": [
    ["h", key],
    ["f", fields],
  ],
  "hashes.size": [["h", key]],
  "hashes.fields": [["h", key]],
  "hashes.has": [
    ["h", key],
    ["f", field],
  ],
};

/** What options must not be, where a method has options. */
export const NOT_OPTIONS: readonly unknown[] = [
  ...[60, 0, "5m", "", null, true, false, 5n, symbol, Number.NaN, [], [1], () => 1],
  ...[
    new Date(),
    new Map(),
    new Set(),
    Promise.resolve(),
    AbortSignal.timeout(60_000),
    new URL("a:b"),
    new StoredKey("a"),
  ],
];

type OptionName = { [M in keyof MethodOptions]: keyof MethodOptions[M] }[keyof MethodOptions];

const versions = [1.5, Number.NaN, "1", null, "*", none, true];
const flags = [0, 1, "yes", "", null, none];
const functions = [null, 5, "f", none];
const windows = [...durations, -1];

/** What each option must not be, in every method that has it. */
export const WRONG_OPTIONS: Readonly<Record<OptionName, readonly unknown[]>> = {
  version: versions,
  versionDestination: versions,
  versionKeys: versions,
  prefix: [5, null, none, [], true, "a:1"],
  default: [],
  tags: [null, 5, "a", none, [""], [5], ["a".repeat(1_025)], ["\ud800"], Array.from({ length: 129 }, (_, i) => `${i}`)],
  ttl: durations,
  nx: flags,
  forceRefresh: flags,
  xx: flags,
  soft: flags,
  only: [null, 5, "all", "", none],
  memo: flags,
  create: flags,
  renew: flags,
  signal: [null, 5, none, new AbortController(), () => 1],
  softTimeout: [...windows, null],
  hardTimeout: windows,
  waitTimeout: [...windows, null],
  retryEvery: [...windows, null],
  scanCount: [0, -1, 1.5, Number.NaN, "10", null, none],
  onProgress: functions,
  waitUntil: functions,
  match: [5, null, none, []],
};

/** Calls a method by its name, as JavaScript may. An iterable of results is read to its end. */
export function call(cache: Cache, name: MethodName, args: readonly unknown[]): unknown {
  const [part, method] = name.includes(".") ? name.split(".") : [undefined, name];
  const target: object = part === undefined ? cache : Reflect.get(cache, part);
  const result: unknown = Reflect.apply(Reflect.get(target, method ?? ""), target, args);
  return isAsyncIterable(result) ? drain(result) : result;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function drain(values: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of values);
}
