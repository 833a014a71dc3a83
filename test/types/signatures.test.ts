import type { Context, Handler, Hono, MiddlewareHandler } from "hono";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { MethodOptions } from "../../src/cache/method-options.js";
import type * as brotliPath from "../../src/compressors/brotli.js";
import type * as bz2Path from "../../src/compressors/bz2.js";
import type * as deflatePath from "../../src/compressors/deflate.js";
import type * as lz4Path from "../../src/compressors/lz4.js";
import type * as lzmaPath from "../../src/compressors/lzma.js";
import type * as zstdPath from "../../src/compressors/zstd.js";
import type { rest as Rest } from "../../src/connection/rest/factory.js";
import type * as errors from "../../src/core/errors.js";
import type * as fetching from "../../src/fetch/index.js";
import type * as hono from "../../src/hono/index.js";
import type * as hosts from "../../src/hosts/index.js";
import type * as http from "../../src/http/index.js";
import type {
  AddOptions,
  Address,
  Cache,
  CacheEvents,
  CacheHashes,
  CacheOptions,
  CacheSets,
  Caches,
  ClientFactory,
  Compressor,
  CompressorOptions,
  Connection,
  ConnectionFactory,
  Duration,
  Encoded,
  EntriesInput,
  EventName,
  FailureContext,
  GetOrSetOptions,
  Health,
  HerdOptions,
  Key,
  KeyOptions,
  LoaderContext,
  LocatedCacheOptions,
  Location,
  Lock,
  Namespace,
  NearCacheFactory,
  NearCacheOptions,
  Serializer,
  SetManyOptions,
  SetOptions,
  SetPage,
  Statistics,
  StatisticsOptions,
  StatisticsSnapshot,
  StoredKey,
  TtlOptions,
  ValueCodec,
} from "../../src/index.js";
import * as main from "../../src/index.js";
import type * as msgpackPath from "../../src/serializers/msgpack.js";
import type * as structuredClonePath from "../../src/serializers/structured-clone.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";

interface User {
  readonly name: string;
  readonly nick?: string;
}

declare const cache: Cache;
declare const sets: CacheSets;
declare const hashes: CacheHashes;
declare const user: User;
declare const users: Users;
declare const duration: Duration | null | undefined;
declare const text: string;
declare const number: number | undefined;

/** The type that a call's promise has. The call is compiled and not made. */
const call = <T>(_of: () => Promise<T>) => expectTypeOf<T>();

/** Methods by name: a public one without its types here doesn't compile. */
type Methods<T, Internal extends keyof T = never> = { readonly [M in Exclude<keyof T, Internal>]: () => void };

const ofCache: Methods<Cache, "shared" | "invocation" | "track" | "report" | "events" | "purges" | "parts"> = {
  connection: () => expectTypeOf<Cache["connection"]>().toEqualTypeOf<Connection>(),
  sets: () => expectTypeOf<Cache["sets"]>().toEqualTypeOf<CacheSets>(),
  hashes: () => expectTypeOf<Cache["hashes"]>().toEqualTypeOf<CacheHashes>(),
  codec: () => expectTypeOf<Cache["codec"]>().toEqualTypeOf<ValueCodec>(),
  get: () => {
    call(() => cache.get("k")).toBeUnknown();
    call(() => cache.get<User>("k")).toEqualTypeOf<User | undefined>();
    call(() => cache.get<User>(cache.makeKey("k"), { version: number })).toEqualTypeOf<User | undefined>();
    call(() => cache.get<number>("k", { default: 0 })).toEqualTypeOf<number>();
    call(() => cache.get<number>("k", { default: null })).toEqualTypeOf<number | null>();
    call(() => cache.get<number>("k", { default: Math.random() > 0.5 ? 1 : null })).toEqualTypeOf<number | null>();
    call(() => cache.get<number>("k", { default: number })).toEqualTypeOf<number | undefined>();
    call(() => cache.get<number>("k", { default: undefined })).toEqualTypeOf<number | undefined>();
    call(() => cache.get<number, string>("k", { default: "none" })).toEqualTypeOf<number | string>();
    call(() => cache.get("k", { default: 0 })).toBeUnknown();
    // @ts-expect-error -- a default of another type is named
    () => cache.get<number>("k", { default: "none" });
    // @ts-expect-error -- no number is a key
    () => cache.get(5);
  },
  set: () => {
    expectTypeOf<Cache["set"]>().toEqualTypeOf<<V>(k: Key, v: V, o?: SetOptions<NoInfer<V>>) => Promise<boolean>>();
    call(() => cache.set("k", user, { tags: ({ name }) => [name] })).toEqualTypeOf<boolean>();
    // @ts-expect-error -- tags of a value of another type
    () => cache.set("k", user, { tags: (value: Date) => [String(value)] });
  },
  add: () =>
    expectTypeOf<Cache["add"]>().toEqualTypeOf<<V>(k: Key, v: V, o?: AddOptions<NoInfer<V>>) => Promise<boolean>>(),
  getOrSet: () => {
    call(() => cache.getOrSet("k", () => user)).toEqualTypeOf<User>();
    call(() => cache.getOrSet("k", async () => user, { ttl: duration })).toEqualTypeOf<User>();
    call(() => cache.getOrSet("k", () => (text ? user : undefined))).toEqualTypeOf<User | undefined>();
    call(() => cache.getOrSet("k", ({ signal }) => [signal.aborted])).toEqualTypeOf<boolean[]>();
    call(() =>
      cache.getOrSet("k", ({ stale }) => {
        expectTypeOf(stale).toBeUnknown();
        return user;
      }),
    ).toEqualTypeOf<User>();
    call(() =>
      cache.getOrSet<User>("k", ({ stale }) => {
        expectTypeOf(stale).toEqualTypeOf<User | undefined>();
        return stale ?? user;
      }),
    ).toEqualTypeOf<User>();
    call(() => cache.getOrSet("k", async ({ stale }: LoaderContext<User>) => stale ?? user)).toEqualTypeOf<User>();
    call(() => cache.getOrSet("k", async (_context: LoaderContext) => user)).toEqualTypeOf<User>();
    call(() => cache.getOrSet("k", generic<User>())).toEqualTypeOf<User>();
    call(() => cache.getOrSet<User>("k", generic())).toEqualTypeOf<User>();
    // @ts-expect-error -- a loader is a function
    () => cache.getOrSet("k", user);
    // @ts-expect-error -- the loader's value is of the type that was asked for
    () => cache.getOrSet<User>("k", () => 5);
  },
  getOrSetMany: () => {
    call(() => cache.getOrSetMany(["a"], (keys) => new Map(keys.map((key) => [key, user])))).toEqualTypeOf<
      Map<string, User>
    >();
    call(() => cache.getOrSetMany(["a"], () => ({ a: user }))).toEqualTypeOf<Map<string, User>>();
    call(() => cache.getOrSetMany<User>(["a"], async () => ({}))).toEqualTypeOf<Map<string, User>>();
    call(() => cache.getOrSetMany(new Set(["a"]), () => users)).toEqualTypeOf<Map<string, User>>();
    call(() => cache.getOrSetMany(["a"], async (_keys, { signal }) => (signal.aborted ? users : users))).toEqualTypeOf<
      Map<string, User>
    >();
    // @ts-expect-error -- a list has no keys
    () => cache.getOrSetMany(["a"], () => [user]);
    // @ts-expect-error -- keys are strings
    () => cache.getOrSetMany(["a"], () => new Map([[1, user]]));
    // @ts-expect-error -- an interface that is not of the type that was asked for
    () => cache.getOrSetMany<number>(["a"], () => users);
  },
  getMany: () => call(() => cache.getMany<User>(["a"], { prefix: text })).toEqualTypeOf<Map<string, User>>(),
  mget: () => call(() => cache.mget(["a"])).toEqualTypeOf<Map<string, unknown>>(),
  setMany: () => {
    expectTypeOf<Cache["setMany"]>().toEqualTypeOf<<V>(e: EntriesInput, o?: SetManyOptions<V>) => Promise<string[]>>();
    call(() => cache.setMany({ a: user }, { tags: ({ name }: User, key) => [name, key] })).toEqualTypeOf<string[]>();
    expectTypeOf<User>().toExtend<EntriesInput>();
    expectTypeOf<Point>().toExtend<EntriesInput>();
    expectTypeOf<{ a: 1 }>().toExtend<EntriesInput>();
    expectTypeOf<Record<string, unknown>>().toExtend<EntriesInput>();
    expectTypeOf<Map<string, User>>().toExtend<EntriesInput>();
    expectTypeOf<[StoredKey, User][]>().toExtend<EntriesInput>();
    expectTypeOf<string>().not.toExtend<EntriesInput>();
    expectTypeOf<string[]>().not.toExtend<EntriesInput>();
    expectTypeOf<Set<string>>().not.toExtend<EntriesInput>();
    expectTypeOf<Map<number, User>>().not.toExtend<EntriesInput>();
    expectTypeOf<Date>().not.toExtend<EntriesInput>();
    expectTypeOf<RegExp>().not.toExtend<EntriesInput>();
    expectTypeOf<Uint8Array>().not.toExtend<EntriesInput>();
    expectTypeOf<Promise<User>>().not.toExtend<EntriesInput>();
    expectTypeOf<() => User>().not.toExtend<EntriesInput>();
    expectTypeOf<null>().not.toExtend<EntriesInput>();
  },
  mset: () => expectTypeOf<Cache["mset"]>().toEqualTypeOf<(e: EntriesInput, o?: TtlOptions) => Promise<void>>(),
  delete: () => expectTypeOf<Cache["delete"]>().toEqualTypeOf<OfKey<boolean>>(),
  deleteMany: () =>
    expectTypeOf<Cache["deleteMany"]>().toEqualTypeOf<(k: Iterable<Key>, o?: KeyOptions) => Promise<number>>(),
  has: () => expectTypeOf<Cache["has"]>().toEqualTypeOf<OfKey<boolean>>(),
  incr: () => {
    call(() => cache.incr("k", 5n, { create: true, ttl: duration })).toEqualTypeOf<number | bigint>();
    // @ts-expect-error -- no text is added
    () => cache.incr("k", "1");
  },
  decr: () => expectTypeOf<Cache["decr"]>().toEqualTypeOf<Cache["incr"]>(),
  incrVersion: () => {
    call(() => cache.incrVersion("k", 2, { version: number })).toEqualTypeOf<number>();
    // @ts-expect-error -- a stored key has its version in it
    () => cache.incrVersion(cache.makeKey("k"));
  },
  decrVersion: () => expectTypeOf<Cache["decrVersion"]>().toEqualTypeOf<Cache["incrVersion"]>(),
  ttl: () => expectTypeOf<Cache["ttl"]>().toEqualTypeOf<OfKey<number | null | undefined>>(),
  touch: () => call(() => cache.touch("k", duration, { version: 2 })).toEqualTypeOf<boolean>(),
  expire: () => {
    call(() => cache.expire("k", "5m")).toEqualTypeOf<boolean>();
    // @ts-expect-error -- `persist` makes an entry never expire
    () => cache.expire("k", null);
  },
  expireAt: () => {
    call(() => cache.expireAt("k", new Date())).toEqualTypeOf<boolean>();
    // @ts-expect-error -- no text is a moment
    () => cache.expireAt("k", "2030-01-01");
  },
  expireSoft: () => expectTypeOf<Cache["expireSoft"]>().toEqualTypeOf<OfKey<boolean>>(),
  expireSoftMany: () => expectTypeOf<Cache["expireSoftMany"]>().toEqualTypeOf<Cache["deleteMany"]>(),
  persist: () => expectTypeOf<Cache["persist"]>().toEqualTypeOf<OfKey<boolean>>(),
  keys: () => call(() => cache.keys("*", { scanCount: number })).toEqualTypeOf<string[]>(),
  iterKeys: () => expectTypeOf(() => cache.iterKeys()).returns.toEqualTypeOf<AsyncIterable<string>>(),
  deletePattern: () => {
    call(() => cache.deletePattern("a*", { onProgress: (deleted) => deleted.toFixed() })).toEqualTypeOf<number>();
    // @ts-expect-error -- no pattern matches all by default
    () => cache.deletePattern();
  },
  clear: () => {
    call(() => cache.clear({ prefix: text })).toEqualTypeOf<number>();
    // @ts-expect-error -- it deletes every version
    () => cache.clear({ version: 1 });
  },
  purgeTags: () =>
    expectTypeOf<Cache["purgeTags"]>().toEqualTypeOf<
      (tags: readonly string[], options?: main.PurgeTagsOptions) => Promise<void>
    >(),
  flush: () => expectTypeOf<Cache["flush"]>().toEqualTypeOf<() => Promise<void>>(),
  lock: () => {
    call(() => cache.lock("k", { ttl: "1m", waitTimeout: 2, renew: true })).toEqualTypeOf<Lock | undefined>();
    // @ts-expect-error -- every lock has a lifetime
    () => cache.lock("k", { ttl: null });
    expectTypeOf<Lock>().toExtend<AsyncDisposable>();
    expectTypeOf<Lock["signal"]>().toEqualTypeOf<AbortSignal>();
    expectTypeOf<Lock["fencing"]>().toEqualTypeOf<number>();
    expectTypeOf<Lock["release"]>().toEqualTypeOf<() => Promise<boolean>>();
    expectTypeOf<Lock["extend"]>().toEqualTypeOf<(ttl: Duration) => Promise<boolean>>();
  },
  namespace: () => expectTypeOf<Cache["namespace"]>().toEqualTypeOf<(name: string) => Namespace>(),
  for: () => {
    expectTypeOf<ReturnType<Cache["for"]>>().toEqualTypeOf<Cache>();
    expectTypeOf<ReturnType<Namespace["for"]>>().toEqualTypeOf<Namespace>();
  },
  on: () => {
    expectTypeOf<EventName>().toEqualTypeOf<keyof CacheEvents>();
    expectTypeOf(() =>
      cache.on("wait", (event) => {
        expectTypeOf(event).toEqualTypeOf<CacheEvents["wait"]>();
      }),
    ).returns.toEqualTypeOf<() => void>();
    // @ts-expect-error -- there is no such event
    () => cache.on("hits", () => {});
  },
  health: () => {
    expectTypeOf<Cache["health"]>().toEqualTypeOf<() => Promise<Health>>();
    expectTypeOf<Health["state"]>().toEqualTypeOf<"idle" | "closed" | "open" | "half-open">();
  },
  makeKey: () => expectTypeOf<Cache["makeKey"]>().toEqualTypeOf<(k: Key, o?: KeyOptions) => StoredKey>(),
  makePattern: () => expectTypeOf<Cache["makePattern"]>().toEqualTypeOf<(p: string, o?: KeyOptions) => string>(),
  close: () => expectTypeOf<Cache["close"]>().toEqualTypeOf<() => Promise<void>>(),
  [Symbol.asyncDispose]: () => expectTypeOf<Cache>().toExtend<AsyncDisposable>(),
};

const ofSets: Methods<CacheSets> = {
  add: () => expectTypeOf<CacheSets["add"]>().toEqualTypeOf<OfMembers<number>>(),
  delete: () => expectTypeOf<CacheSets["delete"]>().toEqualTypeOf<OfMembers<number>>(),
  size: () => expectTypeOf<CacheSets["size"]>().toEqualTypeOf<OfKey<number>>(),
  has: () => call(() => sets.has("k", user, { prefix: text })).toEqualTypeOf<boolean>(),
  hasMany: () => expectTypeOf<CacheSets["hasMany"]>().toEqualTypeOf<OfMembers<boolean[]>>(),
  members: () => {
    call(() => sets.members("k")).toEqualTypeOf<Set<unknown>>();
    call(() => sets.members<User>("k")).toEqualTypeOf<Set<User>>();
  },
  difference: () => call(() => sets.difference<User>(["a", "b"])).toEqualTypeOf<Set<User>>(),
  intersection: () => call(() => sets.intersection(["a", "b"])).toEqualTypeOf<Set<unknown>>(),
  union: () => call(() => sets.union<User>(new Set(["a"]))).toEqualTypeOf<Set<User>>(),
  differenceStore: () => call(() => sets.differenceStore("to", ["a"], { versionKeys: number })).toEqualTypeOf<number>(),
  intersectionStore: () => expectTypeOf<CacheSets["intersectionStore"]>().toEqualTypeOf<CacheSets["differenceStore"]>(),
  unionStore: () => expectTypeOf<CacheSets["unionStore"]>().toEqualTypeOf<CacheSets["differenceStore"]>(),
  move: () => call(() => sets.move("from", "to", user)).toEqualTypeOf<boolean>(),
  pop: () => {
    call(() => sets.pop<User>("k")).toEqualTypeOf<User | undefined>();
    call(() => sets.pop<User>("k", undefined, { version: number })).toEqualTypeOf<User | undefined>();
    call(() => sets.pop<User>("k", 2)).toEqualTypeOf<User[]>();
  },
  random: () => {
    call(() => sets.random<User>("k")).toEqualTypeOf<User | undefined>();
    call(() => sets.random("k", -2)).toEqualTypeOf<unknown[]>();
  },
  scan: () => call(() => sets.scan("k", "0", { match: text })).toEqualTypeOf<SetPage>(),
  iterate: () => expectTypeOf(() => sets.iterate<User>("k")).returns.toEqualTypeOf<AsyncIterable<User>>(),
};

const ofHashes: Methods<CacheHashes> = {
  set: () => {
    call(() => hashes.set("h", "field", user, { version: number })).toEqualTypeOf<number>();
    call(() => hashes.set("h", user, { version: number })).toEqualTypeOf<number>();
    call(() => hashes.set("h", { a: 1 })).toEqualTypeOf<number>();
    call(() => hashes.set("h", new Map([["a", 1]]))).toEqualTypeOf<number>();
    // @ts-expect-error -- a list has no fields
    () => hashes.set("h", [1]);
    // @ts-expect-error -- a field has a value
    () => hashes.set("h", "field");
  },
  get: () => call(() => hashes.get<User>("h", "field")).toEqualTypeOf<User | undefined>(),
  getAll: () => call(() => hashes.getAll<User>("h")).toEqualTypeOf<Map<string, User>>(),
  delete: () => call(() => hashes.delete("h", ["field"], { prefix: text })).toEqualTypeOf<number>(),
  size: () => expectTypeOf<CacheHashes["size"]>().toEqualTypeOf<OfKey<number>>(),
  fields: () => expectTypeOf<CacheHashes["fields"]>().toEqualTypeOf<OfKey<string[]>>(),
  has: () => call(() => hashes.has("h", "field")).toEqualTypeOf<boolean>(),
};

const ofCodec: Methods<ValueCodec> = {
  encode: () => expectTypeOf<ValueCodec["encode"]>().toEqualTypeOf<(value: unknown) => Promise<Encoded>>(),
  decode: () => expectTypeOf<ValueCodec["decode"]>().toEqualTypeOf<(stored: Encoded) => Promise<unknown>>(),
  compressBytes: () =>
    expectTypeOf<ValueCodec["compressBytes"]>().toEqualTypeOf<(b: Uint8Array) => Promise<Uint8Array | undefined>>(),
  decompressBytes: () =>
    expectTypeOf<ValueCodec["decompressBytes"]>().toEqualTypeOf<(b: Uint8Array) => Promise<Uint8Array>>(),
};

type Main = typeof main;
type ErrorName = Extract<keyof Main, `${string}Error`>;

const ofMain: { readonly [E in Exclude<keyof Main, ErrorName>]: () => void } = {
  createCache: () => {
    expectTypeOf<Main["createCache"]>().toEqualTypeOf<(options: CacheOptions | LocatedCacheOptions) => Cache>();
    // @ts-expect-error -- every cache is somewhere
    () => main.createCache({ ttl: 5 });
    (rest: typeof Rest) => main.createCache({ connectionFactory: rest({ url: "https://a.test", token: "t" }) });
    // @ts-expect-error -- this factory has no URL
    (rest: typeof Rest) => main.createCache({ connectionFactory: rest({ token: "t" }) });
  },
  createCaches: () => {
    const make = () =>
      main.createCaches({ own: { location: "memory:" }, other: { location: "memory:" } }, { ttl: duration });
    expectTypeOf(make).returns.toEqualTypeOf<Caches<"own" | "other">>();
    expectTypeOf<Caches<"own">["own"]>().toEqualTypeOf<Cache>();
    expectTypeOf<Caches<"own">["close"]>().toEqualTypeOf<() => Promise<void>>();
    expectTypeOf<Caches<"own">>().toExtend<AsyncDisposable>();
    expectTypeOf<Caches<"own">>().not.toHaveProperty("other");
  },
  defaultClient: () => expectTypeOf<Main["defaultClient"]>().returns.toEqualTypeOf<ClientFactory>(),
  herd: () => expectTypeOf<Main["herd"]>().toEqualTypeOf<(options?: HerdOptions) => ClientFactory>(),
  DefaultClient: () => expectTypeOf<main.DefaultClient>().toExtend<main.Client>(),
  HerdClient: () => expectTypeOf<main.HerdClient>().toExtend<main.DefaultClient>(),
  identity: () => expectTypeOf<Main["identity"]>().toEqualTypeOf<() => Compressor>(),
  json: () => expectTypeOf<Main["json"]>().toEqualTypeOf<() => Serializer>(),
  memory: () => expectTypeOf<Main["memory"]>().toEqualTypeOf<Factory<main.MemoryOptions>>(),
  glide: () => expectTypeOf<Main["glide"]>().toEqualTypeOf<Factory<main.GlideOptions>>(),
  glideCluster: () => expectTypeOf<Main["glideCluster"]>().toEqualTypeOf<Factory<main.GlideOptions>>(),
  iovalkey: () => expectTypeOf<Main["iovalkey"]>().toEqualTypeOf<Factory<main.IovalkeyOptions>>(),
  define: () => {
    const users = (cache: Cache) =>
      main.define(cache, {
        key: (id: string) => `user:${id}`,
        load: async (id, { signal }) => ({ id, isEnded: signal.aborted }),
        loadMany: (ids) => new Map(ids.map((id) => [id, { id, isEnded: false }])),
        ttl: "5m",
      });
    type User = { id: string; isEnded: boolean };
    expectTypeOf(users).returns.toEqualTypeOf<main.Definition<string, User>>();
    const found = (cache: Cache) => users(cache).getMany(["7"]);
    expectTypeOf(found).returns.resolves.toEqualTypeOf<Map<string, User>>();
    const stale = (cache: Cache) =>
      main.define(cache, {
        key: (id: number) => String(id),
        load: async (_, { stale: old }: LoaderContext<User>) => old,
      });
    expectTypeOf(stale).returns.toEqualTypeOf<main.Definition<number, User | undefined>>();
    // @ts-expect-error -- an id of another type
    (cache: Cache) => users(cache).get(7);
    // @ts-expect-error -- a value of another type
    (cache: Cache) => users(cache).set("7", { name: "Ann" });
    // @ts-expect-error -- without a loader
    (cache: Cache) => main.define(cache, { key: (id: string) => id });
  },
  wrap: () => {
    const wrapped = (cache: Cache) =>
      main.wrap(cache, async (id: string, deep?: boolean) => ({ id, deep }), { key: "one" });
    expectTypeOf(wrapped).returns.toEqualTypeOf<
      main.Wrapped<[id: string, deep?: boolean], { id: string; deep: boolean | undefined }>
    >();
    // @ts-expect-error -- an argument of another type
    (cache: Cache) => wrapped(cache)(7);
    const checked = (cache: Cache, schema: main.StandardSchema<string, number>) =>
      main.wrap(cache, async (id: string) => id.length, { key: "checked", schema });
    expectTypeOf(checked).returns.toEqualTypeOf<main.Wrapped<[id: string], number>>();
  },
  statistics: () => {
    expectTypeOf<Main["statistics"]>().toEqualTypeOf<(cache: Cache, options?: StatisticsOptions) => Statistics>();
    // @ts-expect-error -- a name is a string
    (cache: Cache) => main.statistics(cache, { definition: () => 1 });
    // @ts-expect-error -- nobody changes what was counted
    (stats: Statistics) => stats.snapshot().total.hits++;
  },
  nearCache: () => expectTypeOf<Main["nearCache"]>().toEqualTypeOf<(options?: NearCacheOptions) => NearCacheFactory>(),
  mergeStatistics: () =>
    expectTypeOf<Main["mergeStatistics"]>().toEqualTypeOf<
      (...snapshots: readonly StatisticsSnapshot[]) => StatisticsSnapshot
    >(),
  elasticacheIam: () =>
    expectTypeOf<Main["elasticacheIam"]>().toEqualTypeOf<
      (options: main.ElastiCacheIamOptions) => main.GetCredentials
    >(),
  sentinel: () =>
    expectTypeOf<Main["sentinel"]>().toEqualTypeOf<(options: main.SentinelOptions) => ConnectionFactory>(),
  escapePattern: () => expectTypeOf<Main["escapePattern"]>().toEqualTypeOf<(text: string) => string>(),
  defaultKeyFunction: () => expectTypeOf<Main["defaultKeyFunction"]>().toEqualTypeOf<main.KeyFunction>(),
  StoredKey: () => expectTypeOf<StoredKey>().toExtend<Key>(),
};

describe("types", () => {
  const all = { cache: ofCache, "cache.sets": ofSets, "cache.hashes": ofHashes, "cache.codec": ofCodec, main: ofMain };
  const named = Object.entries(all).flatMap(([where, checks]) =>
    Reflect.ownKeys(checks).map((name) => [`${where}: ${String(name)}`, Reflect.get(checks, name)] as const),
  );
  it.each(named)("of %s", (_name, check) => check());

  it("of errors: each is a CacheError with its own name", () => {
    expectTypeOf<ErrorName>().toEqualTypeOf<Extract<keyof typeof errors, `${string}Error`> & ErrorName>();
    type Unlike = { [E in ErrorName]: InstanceType<Main[E]> extends main.CacheError ? never : E }[ErrorName];
    expectTypeOf<Unlike>().toEqualTypeOf<never>();
    expectTypeOf<main.TimeoutError>().toExtend<main.ConnectionError>();
    expectTypeOf<main.ConnectionError["mayHaveRun"]>().toEqualTypeOf<boolean>();
    expectTypeOf<main.ReplyError["code"]>().toEqualTypeOf<string>();
    expectTypeOf<main.DecodeError["name"]>().toEqualTypeOf<"DecodeError">();
  });

  it("of durations: numbers before a unit, and no other text", () => {
    expectTypeOf<"0.5s" | "250ms" | "-5m" | ".5s" | "1e3s" | "5 m" | `${number}h` | 1.5>().toExtend<Duration>();
    expectTypeOf<string>().not.toExtend<Duration>();
    for (const wrong of ["5", "5 parsecs", "m", "5M", "--5s", "5ms5", "5s ", "٥m", ""] as const) {
      // @ts-expect-error -- none of these is one
      const duration: Duration = wrong;
      expect(duration).toBe(wrong);
    }
    type Compiling = Extract<"5" | "5 parsecs" | "m" | "5M" | "--5s" | "5ms5" | "5s " | "٥m" | "", Duration>;
    expectTypeOf<Compiling>().toEqualTypeOf<never>();
  });

  it("of keys and locations", () => {
    expectTypeOf<Key>().toEqualTypeOf<string | StoredKey>();
    expectTypeOf<Location["addresses"]>().toEqualTypeOf<readonly Address[]>();
    expectTypeOf<Location["scheme"]>().toEqualTypeOf<
      "valkey" | "valkeys" | "redis" | "rediss" | "unix" | "memory" | "https" | "http"
    >();
  });
});

describe("options", () => {
  it("of every method may be undefined", () => {
    type Wrong = { [M in keyof MethodOptions]: Refusing<MethodOptions[M]> }[keyof MethodOptions];
    expectTypeOf<Wrong>().toEqualTypeOf<never>();
  });

  it("of every factory may be undefined", () => {
    expectTypeOf<
      | Refusing<CacheOptions>
      | Refusing<HerdOptions>
      | Refusing<GetOrSetOptions>
      | Refusing<main.DefaultClientOptions>
      | Refusing<main.MemoryOptions>
      | Refusing<main.GlideOptions>
      | Refusing<main.IovalkeyOptions>
      | Refusing<main.IovalkeyTlsOptions>
      | Refusing<main.SentinelOptions>
      | Refusing<main.TlsOptions>
      | Refusing<main.SendOptions>
      | Refusing<CompressorOptions>
      | Refusing<brotliPath.BrotliOptions>
      | Refusing<bz2Path.Bz2Options>
      | Refusing<deflatePath.DeflateOptions>
      | Refusing<deflatePath.GzipOptions>
      | Refusing<deflatePath.ZlibOptions>
      | Refusing<lz4Path.Lz4Options>
      | Refusing<lzmaPath.LzmaOptions>
      | Refusing<zstdPath.ZstdOptions>
      | Refusing<fetching.CachedFetchOptions>
      | Refusing<fetching.CachedHandlerOptions>
      | Refusing<hono.HttpCacheOptions>
      | Refusing<hono.ValkeyCacheOptions>
      | Refusing<hono.PurgeRouteOptions>
      | Refusing<hono.RoutePolicyOptions>
      | Refusing<hono.PurgeOptions>
      | Refusing<hosts.RequestHandlerOptions>
      | Refusing<http.HttpCacheOptions>
      | Refusing<http.PolicyOptions>
      | Refusing<http.QueryRules>
      | Refusing<http.TrustForwarded>
    >().toEqualTypeOf<never>();
  });

  it("that refuse undefined are found", () => {
    expectTypeOf<Refusing<{ a?: number; b?: number | undefined; c: number }>>().toEqualTypeOf<"a">();
  });

  it("of a cache have the arguments of their callbacks", () => {
    type OnError = NonNullable<CacheOptions["onError"]>;
    expectTypeOf<OnError>().toEqualTypeOf<(error: unknown, context: FailureContext) => void>();
  });
});

describe("subpaths", () => {
  it("of serializers and compressors make what the options of a cache take", () => {
    expectTypeOf<typeof msgpackPath.msgpack>().toEqualTypeOf<() => Serializer>();
    expectTypeOf<typeof structuredClonePath.structuredClone>().toEqualTypeOf<() => Serializer>();
    expectTypeOf<typeof brotliPath.brotli>().toEqualTypeOf<(o?: brotliPath.BrotliOptions) => Compressor>();
    expectTypeOf<typeof bz2Path.bz2>().toEqualTypeOf<(o?: bz2Path.Bz2Options) => Compressor>();
    expectTypeOf<typeof deflatePath.deflate>().toEqualTypeOf<(o?: deflatePath.DeflateOptions) => Compressor>();
    expectTypeOf<typeof deflatePath.gzip>().toEqualTypeOf<(o?: deflatePath.GzipOptions) => Compressor>();
    expectTypeOf<typeof deflatePath.zlib>().toEqualTypeOf<(o?: deflatePath.ZlibOptions) => Compressor>();
    expectTypeOf<typeof lz4Path.lz4>().toEqualTypeOf<(o?: lz4Path.Lz4Options) => Compressor>();
    expectTypeOf<typeof lzmaPath.lzma>().toEqualTypeOf<(o?: lzmaPath.LzmaOptions) => Compressor>();
    expectTypeOf<typeof zstdPath.zstd>().toEqualTypeOf<(o?: zstdPath.ZstdOptions) => Compressor>();
  });

  it("hono makes middleware, and sets a typed variable", () => {
    type Made = hono.HttpCacheMiddleware;
    expectTypeOf<typeof hono.httpCache>().toEqualTypeOf<(options?: hono.HttpCacheOptions) => Made>();
    expectTypeOf<Made>().toExtend<MiddlewareHandler>();
    expectTypeOf<Parameters<Made["purge"]>[1]>().toEqualTypeOf<
      (hono.PurgeOptions & { cache?: Cache | undefined }) | undefined
    >();
    expectTypeOf<ReturnType<Made["purge"]>>().toEqualTypeOf<Promise<number>>();
    expectTypeOf<ReturnType<Made["purgeTags"]>>().toEqualTypeOf<Promise<void>>();
    expectTypeOf<Made["purgeRoute"]>().toEqualTypeOf<(options: hono.PurgeRouteOptions) => Handler>();
    expectTypeOf<Made["policy"]>().toEqualTypeOf<(options: hono.RoutePolicyOptions) => MiddlewareHandler>();
    expectTypeOf<hono.RoutePolicyOptions>().not.toHaveProperty("hosts");
    expectTypeOf<typeof hono.valkeyCache>().parameter(0).toEqualTypeOf<hono.CacheSource<[c: Context]>>();
    expectTypeOf<hono.ValkeyCacheEnv["Variables"]["cache"]>().toEqualTypeOf<Cache>();
    expectTypeOf<Hono<hono.ValkeyCacheEnv>>().toExtend<hono.Dispatcher>();
  });

  it("fetch makes functions of the same shape, with purges", () => {
    type Made = fetching.CachedHandler<[env: { url: string }]>;
    expectTypeOf<Made>().parameters.toEqualTypeOf<[request: Request, env: { url: string }]>();
    expectTypeOf<Made>().returns.toEqualTypeOf<Promise<Response>>();
    expectTypeOf<Made>().toExtend<fetching.WebHandler<[env: { url: string }]>>();
    expectTypeOf<fetching.CachedFetch>().toExtend<typeof globalThis.fetch>();
    expectTypeOf<typeof globalThis.fetch>().toExtend<fetching.Fetch>();
    expectTypeOf<ReturnType<fetching.CachedFetch["purge"]>>().toEqualTypeOf<Promise<number>>();
    expectTypeOf<fetching.CachedFetchOptions>().not.toHaveProperty("trustForwarded");
    expectTypeOf<Parameters<typeof fetching.cachedFetch>>().toEqualTypeOf<[options: fetching.CachedFetchOptions]>();
  });

  it("hosts makes handlers with a cache as their last argument", () => {
    type Fetch = (request: Request, env: { url: string }, context: hosts.WorkerContext) => Promise<Response>;
    const worker = () =>
      ({}) as typeof hosts.workerHandler<{ url: string }> extends (source: infer S, handler: infer H) => infer R
        ? { source: S; handler: H; made: R }
        : never;
    expectTypeOf(worker).returns.toHaveProperty("made").toEqualTypeOf<Fetch>();
    expectTypeOf(worker).returns.toHaveProperty("handler").parameter(3).toEqualTypeOf<Cache>();
    type Lambda = ReturnType<typeof hosts.lambdaHandler<{ id: string }, unknown, User>>;
    expectTypeOf<Lambda>().toEqualTypeOf<(event: { id: string }, context: unknown) => Promise<User>>();
    type Requests = ReturnType<typeof hosts.requestHandler<[id: number]>>;
    expectTypeOf<Requests>().toEqualTypeOf<(request: Request, id: number) => Promise<Response>>();
    expectTypeOf<typeof hosts.workerHandler>().parameter(2).toEqualTypeOf<hosts.HandlerOptions | undefined>();
    expectTypeOf<typeof hosts.lambdaHandler>().parameter(2).toEqualTypeOf<hosts.HandlerOptions | undefined>();
    expectTypeOf<hosts.HandlerOptions>().toEqualTypeOf<Pick<hosts.RequestHandlerOptions, "memo">>();
    expectTypeOf<hosts.WaitUntil>().toEqualTypeOf<(work: Promise<unknown>) => void>();
  });

  it("http has an engine and the decisions of RFC 9111", () => {
    expectTypeOf<ConstructorParameters<typeof http.HttpCache>[0]>().toEqualTypeOf<http.HttpCacheOptions | undefined>();
    expectTypeOf<http.HttpCache["handle"]>().toEqualTypeOf<
      (exchange: http.Exchange, cache: Cache) => Promise<http.Outcome>
    >();
    expectTypeOf<http.HttpCache["purges"]>().toEqualTypeOf<http.Purges>();
    expectTypeOf<http.Outcome>().toEqualTypeOf<{ readonly answer: http.Answer } | http.PassedOn>();
    expectTypeOf<typeof http.toResponse>().toEqualTypeOf<(answer: http.Answer, isHead: boolean) => Response>();
    expectTypeOf<typeof http.makePolicy>().toEqualTypeOf<(options?: http.PolicyOptions) => http.Policy>();
    expectTypeOf<typeof http.cacheKey>().returns.toEqualTypeOf<http.CacheKey>();
    expectTypeOf<typeof http.decide>().returns.toEqualTypeOf<http.Decision>();
    expectTypeOf<typeof http.bypassReason>().returns.toEqualTypeOf<http.Bypass | undefined>();
    expectTypeOf<typeof http.cacheStatus>().toEqualTypeOf<(name: string) => (handling: http.Handling) => string>();
    expectTypeOf<typeof http.requestDirectives>().toEqualTypeOf<(fields: http.Fields) => http.RequestDirectives>();
    expectTypeOf<typeof http.toFields>().returns.toEqualTypeOf<http.Fields>();
    expectTypeOf<typeof http.UNKEYED_FIELDS>().toEqualTypeOf<ReadonlySet<string>>();
    expectTypeOf<http.ClientRequest>().toExtend<http.RequestHead>();
  });
});

it("a Date that a loader returns is a string with json(), from the first answer on, and a Date with structuredClone()", async () => {
  for (const [serializer, isDate] of [
    [main.json(), false],
    [structuredClone(), true],
  ] as const) {
    await using own = main.createCache({ location: "memory:", serializer });
    const load = () => own.getOrSet("k", () => new Date(0));
    call(load).toEqualTypeOf<Date>();
    for (const answer of [await load(), await load()] as unknown[]) {
      expect(answer instanceof Date).toBe(isDate);
      expect(JSON.stringify(answer)).toBe('"1970-01-01T00:00:00.000Z"');
    }
  }
});

/** The optional properties that can't be `undefined`. */
type Refusing<T> = {
  [K in keyof T]-?: object extends Pick<T, K> ? (undefined extends Required<T>[K] ? never : K) : never;
}[keyof T];

type OfKey<T> = (key: Key, options?: KeyOptions) => Promise<T>;
type OfMembers<T> = (key: Key, members: Iterable<unknown>, options?: KeyOptions) => Promise<T>;
type Factory<Options> = (options?: Options) => ConnectionFactory;

interface Users {
  readonly ann: User;
  readonly bob?: User;
}

declare class Point {
  readonly x: number;
  length(): number;
}

declare function generic<T>(): main.Loader<T>;
