import { setTimeout as pause } from "node:timers/promises";
import type { Cache, KeyOptions, LoaderContext } from "valkey-edge-cache";
import type { CommandName } from "../contract/cache/commands.ts";
import { type Call, idOf, type Load, nowMs, type Place, valueFor } from "./model.ts";
import { type Operation, placeOf } from "./operations.ts";

export interface PerformanceParts {
  readonly cache: Cache;
  readonly call: Call;
  readonly signal: AbortSignal | undefined;
  newId(): number;
}

/** What loaders throw, which callers that share the load get, too. */
export class LoaderFailed extends Error {}

/** Makes one call of a cache, and writes down what it read, wrote, loaded and changed. */
export class Performance {
  readonly cache: Cache;
  readonly operation: Operation;
  readonly signal: AbortSignal | undefined;
  readonly key: string;
  readonly keys: string[];
  readonly at: KeyOptions;
  readonly #call: Call;
  readonly #newId: () => number;

  constructor({ cache, call, signal, newId }: PerformanceParts) {
    const { operation } = call;
    this.cache = cache;
    this.operation = operation;
    this.signal = signal;
    this.#call = call;
    this.#newId = newId;
    this.keys = [...operation.keys];
    this.key = this.keys[0] ?? "";
    const { prefix, version } = operation;
    this.at = { ...(prefix === undefined ? {} : { prefix }), ...(version === undefined ? {} : { version }) };
  }

  run(): Promise<void> {
    return PERFORM[this.operation.method](this);
  }

  get withTtl() {
    const { ttl } = this.operation;
    return { ...this.at, ...(ttl === undefined ? {} : { ttl }) };
  }

  get loadOptions() {
    const { hardTimeout, softTimeout } = this.operation;
    return {
      ...this.withTtl,
      ...(hardTimeout === undefined ? {} : { hardTimeout }),
      ...(softTimeout === undefined ? {} : { softTimeout }),
      ...(this.signal ? { signal: this.signal } : {}),
    };
  }

  place(key = this.key): Place {
    return placeOf(this.operation, key);
  }

  read(value: unknown, key = this.key): void {
    this.#call.reads.push([this.place(key), idOf(value)]);
  }

  readMap(values: ReadonlyMap<string, unknown>): void {
    this.#call.answered = [...values.keys()];
    for (const key of new Set([...this.keys, ...values.keys()])) this.read(values.get(key), key);
  }

  /** A value to be written. */
  write(key = this.key): unknown {
    const id = this.#newId();
    this.#call.writes[this.place(key)] = id;
    return valueFor(id);
  }

  changed(is: unknown = true, keys: readonly string[] = this.keys): void {
    if (is) this.#call.changed = keys.map((key) => this.place(key));
  }

  /** All places that the call addressed. */
  swept(): void {
    this.#call.changed = this.#call.places;
  }

  mustBe(type: string, value: unknown): void {
    const found = value === null ? "null" : value instanceof Set ? "set" : value instanceof Map ? "map" : typeof value;
    if (!type.split("|").includes(found))
      this.#call.reads.push([this.place(), { other: `${found} instead of ${type}` }]);
  }

  async load(keys: readonly string[], stale?: unknown): Promise<Record<string, unknown>> {
    const { takesMs = 0, ends = "value" } = this.operation.load ?? {};
    const ids = new Map(ends === "value" ? keys.map((key) => [key, this.#newId()]) : []);
    const made = Object.fromEntries([...ids].map(([key, id]) => [this.place(key), id]));
    const load: Load = { beganMs: nowMs(), endedMs: undefined, made, hadStale: stale !== undefined };
    this.#call.loads.push(load);
    if (takesMs > 0) await pause(takesMs);
    load.endedMs = nowMs();
    if (ends === "error") throw new LoaderFailed("the loader failed");
    return Object.fromEntries([...ids].map(([key, id]) => [key, valueFor(id)]));
  }
}

const MEMBERS = [1, "two", 3, null];

const PERFORM: Readonly<Record<CommandName, (it: Performance) => Promise<void>>> = {
  async get(it) {
    const otherwise = { otherwise: true };
    const value = await it.cache.get<unknown>(
      it.key,
      it.operation.otherwise ? { ...it.at, default: otherwise } : it.at,
    );
    it.read(value === otherwise ? undefined : value);
  },
  async set(it) {
    const { nx = false, xx = false, ttl } = it.operation;
    const written = await it.cache.set(it.key, it.write(), { ...it.withTtl, nx, xx });
    it.mustBe("boolean", written);
    it.changed(written && !(nx && ttl === 0));
  },
  async add(it) {
    const written = await it.cache.add(it.key, it.write(), it.withTtl);
    it.changed(written && it.operation.ttl !== 0);
  },
  async getOrSet(it) {
    const load = async ({ stale }: LoaderContext) => (await it.load([it.key], stale))[it.key];
    it.read(await it.cache.getOrSet(it.key, load, it.loadOptions));
  },
  async getOrSetMany(it) {
    it.readMap(await it.cache.getOrSetMany(it.keys, (missing) => it.load(missing), it.loadOptions));
  },
  getMany: async (it) => it.readMap(await it.cache.getMany(it.keys, it.at)),
  mget: async (it) => it.readMap(await it.cache.mget(it.keys, it.at)),
  async setMany(it) {
    const entries = it.keys.map((key) => [key, it.write(key)] as const);
    const failed = await it.cache.setMany(entries, it.withTtl);
    it.changed(
      true,
      it.keys.filter((key) => !failed.includes(key)),
    );
  },
  async mset(it) {
    await it.cache.mset(new Map(it.keys.map((key) => [key, it.write(key)])), it.withTtl);
    it.changed();
  },
  async delete(it) {
    it.mustBe("boolean", await it.cache.delete(it.key, it.at));
    it.changed();
  },
  async deleteMany(it) {
    it.mustBe("number", await it.cache.deleteMany(it.keys, it.at));
    it.changed();
  },
  has: async (it) => it.mustBe("boolean", await it.cache.has(it.key, it.at)),
  ttl: async (it) => it.mustBe("number|null|undefined", await it.cache.ttl(it.key, it.at)),
  async touch(it) {
    const { ttl } = it.operation;
    it.mustBe("boolean", await it.cache.touch(it.key, ttl, it.at));
    it.changed(ttl !== undefined && ttl !== null && ttl <= 0);
  },
  async expire(it) {
    const { ttl } = it.operation;
    it.mustBe("boolean", await it.cache.expire(it.key, ttl ?? 1, it.at));
    it.changed(ttl === 0);
  },
  async expireAt(it) {
    const at = Date.now() + (it.operation.ttl ?? 1) * 1_000;
    it.mustBe("boolean", await it.cache.expireAt(it.key, new Date(at), it.at));
    it.changed(it.operation.ttl === 0);
  },
  expireSoft: async (it) => it.mustBe("boolean", await it.cache.expireSoft(it.key, it.at)),
  expireSoftMany: async (it) => it.mustBe("number", await it.cache.expireSoftMany(it.keys, it.at)),
  persist: async (it) => it.mustBe("boolean", await it.cache.persist(it.key, it.at)),
  async incr(it) {
    it.mustBe("number|bigint", await it.cache.incr(it.key, 1, { ...it.withTtl, create: true }));
    it.changed(it.operation.ttl !== 0);
  },
  async decr(it) {
    it.mustBe("number|bigint", await it.cache.decr(it.key, 1, { ...it.withTtl, create: true }));
    it.changed(it.operation.ttl !== 0);
  },
  async incrVersion(it) {
    it.mustBe("number", await it.cache.incrVersion(it.key, 1, it.at));
  },
  async decrVersion(it) {
    it.mustBe("number", await it.cache.decrVersion(it.key, 1, it.at));
  },
  async keys(it) {
    for (const key of await it.cache.keys("*", it.at)) it.mustBe("string", key);
  },
  async iterKeys(it) {
    for await (const key of it.cache.iterKeys(`${it.key}*`, it.at)) if (!key.startsWith(it.key)) it.mustBe(it.key, key);
  },
  async deletePattern(it) {
    await it.cache.deletePattern(it.key, it.at);
    it.swept();
  },
  async clear(it) {
    await it.cache.clear(it.at.prefix === undefined ? {} : { prefix: it.at.prefix });
    it.swept();
  },
  purgeTags: (it) => it.cache.purgeTags([it.key]),
  async flush(it) {
    await it.cache.flush();
    it.swept();
  },
  async lock(it) {
    const lock = await it.cache.lock(it.key, { ttl: 1, waitTimeout: 0.1, ...(it.signal ? { signal: it.signal } : {}) });
    await lock?.release();
  },
  "sets.add": async (it) => it.mustBe("number", await it.cache.sets.add(it.key, MEMBERS, it.at)),
  "sets.delete": async (it) => it.mustBe("number", await it.cache.sets.delete(it.key, [1], it.at)),
  "sets.size": async (it) => it.mustBe("number", await it.cache.sets.size(it.key, it.at)),
  "sets.has": async (it) => it.mustBe("boolean", await it.cache.sets.has(it.key, 1, it.at)),
  async "sets.hasMany"(it) {
    for (const has of await it.cache.sets.hasMany(it.key, [1, "two"], it.at)) it.mustBe("boolean", has);
  },
  "sets.members": async (it) => members(it, await it.cache.sets.members(it.key, it.at)),
  "sets.difference": async (it) => members(it, await it.cache.sets.difference(it.keys, it.at)),
  "sets.intersection": async (it) => members(it, await it.cache.sets.intersection(it.keys, it.at)),
  "sets.union": async (it) => members(it, await it.cache.sets.union(it.keys, it.at)),
  async "sets.differenceStore"(it) {
    it.mustBe("number", await it.cache.sets.differenceStore("set:3", it.keys, it.at));
  },
  async "sets.intersectionStore"(it) {
    it.mustBe("number", await it.cache.sets.intersectionStore("set:3", it.keys, it.at));
  },
  "sets.unionStore": async (it) => it.mustBe("number", await it.cache.sets.unionStore("set:3", it.keys, it.at)),
  async "sets.move"(it) {
    it.mustBe("boolean", await it.cache.sets.move(it.key, it.keys[1] ?? "set:3", 1, it.at));
  },
  "sets.pop": async (it) => member(it, await it.cache.sets.pop(it.key, undefined, it.at)),
  "sets.random": async (it) => member(it, await it.cache.sets.random(it.key, undefined, it.at)),
  "sets.scan": async (it) => members(it, new Set((await it.cache.sets.scan(it.key, "0", it.at)).members)),
  async "sets.iterate"(it) {
    for await (const one of it.cache.sets.iterate(it.key, it.at)) member(it, one);
  },
  "hashes.set": async (it) => it.mustBe("number", await it.cache.hashes.set(it.key, "f", MEMBERS, it.at)),
  async "hashes.get"(it) {
    const value = await it.cache.hashes.get(it.key, "f", it.at);
    it.mustBe(value === undefined ? "undefined" : "object", value);
  },
  async "hashes.getAll"(it) {
    it.mustBe("map", await it.cache.hashes.getAll(it.key, it.at));
  },
  "hashes.delete": async (it) => it.mustBe("number", await it.cache.hashes.delete(it.key, "f", it.at)),
  "hashes.size": async (it) => it.mustBe("number", await it.cache.hashes.size(it.key, it.at)),
  async "hashes.fields"(it) {
    for (const field of await it.cache.hashes.fields(it.key, it.at)) it.mustBe("string", field);
  },
  "hashes.has": async (it) => it.mustBe("boolean", await it.cache.hashes.has(it.key, "f", it.at)),
};

function members(it: Performance, found: ReadonlySet<unknown>): void {
  it.mustBe("set", found);
  for (const one of found) member(it, one);
}

function member(it: Performance, one: unknown): void {
  if (one !== undefined && !MEMBERS.includes(one as never)) it.mustBe("member", one);
}
