import type { Cache } from "../../src/cache/cache.js";
import { TimeoutError } from "../../src/core/errors.js";

/** The form of every stored value. It shows values of other keys and outdated values. */
interface Versioned {
  readonly key: string;
  readonly version: number;
}

/** One caller of a cache. Only this caller writes the keys with its number. */
export interface Caller {
  readonly id: number;
  readonly cache: Cache;
  /** Of the entry that it writes: the last sent version and the last acknowledged version. */
  version: number;
  acknowledged: number;
  /** Whether acknowledged writes may be lost at any time. */
  readonly mayForget: boolean;
  /** The last known value of its counter, or the highest if writes may be lost. It is unknown after a failed increment, which may have run. */
  counter: number | undefined;
  /** Increments that timed out, and until when they may still run, by `performance.now()`. */
  late: { readonly times: number; readonly untilMs: number };
  /** Incremented whenever acknowledged writes may be lost. */
  era: number;
  forget(): void;
  /** @param found the cache's value of a key, whose version must be in these bounds unless it may be lost */
  check(key: string, found: unknown, least: number, most: number): void;
  wrong(what: string): void;
}

export function newCaller(id: number, cache: Cache, mayForget: boolean, wrong: (what: string) => void): Caller {
  const caller: Caller = {
    id,
    cache,
    version: 0,
    acknowledged: 0,
    mayForget,
    counter: undefined,
    late: { times: 0, untilMs: 0 },
    era: 0,
    wrong,
    forget() {
      caller.era++;
      caller.acknowledged = 0;
      caller.counter = undefined;
    },
    check(key, found, least, most) {
      const lowest = mayForget ? 0 : least;
      if (found === undefined) {
        if (lowest > 0) wrong(`${key} is gone`);
        return;
      }
      const { key: own, version } = found as Versioned;
      if (own !== key) wrong(`${key} has what belongs to ${own}`);
      if (version > most || version < lowest) wrong(`${key} has version ${version}, not ${lowest} to ${most}`);
    },
  };
  return caller;
}

/** How long a command may wait in a transport or at the server after it timed out here. */
const LATE_MS = 1_000;
const ANY = Number.POSITIVE_INFINITY;
const entry = (id: number) => `load:${id}`;
const own = ({ id }: Caller) => entry(id);

/** Bounds of versions: not older than the acknowledged one, unless that may be lost. */
async function read(caller: Caller, key: string, get: () => Promise<unknown>): Promise<void> {
  const { acknowledged, era } = caller;
  const found = await get();
  caller.check(key, found, era === caller.era ? acknowledged : 0, caller.version);
}

async function write(caller: Caller, put: (value: Versioned) => Promise<unknown>): Promise<void> {
  const { era } = caller;
  const value = { key: own(caller), version: ++caller.version };
  await put(value);
  if (era === caller.era) caller.acknowledged = value.version;
}

export const STEPS = {
  async get(caller: Caller) {
    const key = own(caller);
    await read(caller, key, () => caller.cache.get(key));
  },
  async set(caller: Caller) {
    await write(caller, (value) => caller.cache.set(value.key, value));
  },
  async getMany(caller: Caller) {
    const [key, other] = [own(caller), entry(caller.id + 1)];
    let found = new Map<string, unknown>();
    await read(caller, key, async () => {
      found = await caller.cache.getMany([key, other]);
      return found.get(key);
    });
    caller.check(other, found.get(other), 0, ANY);
  },
  async mset(caller: Caller) {
    const key = `{mset:${caller.id}}`;
    const value = (name: string) => ({ key: `${key}${name}`, version: 1 });
    await caller.cache.mset({ [`${key}a`]: value("a"), [`${key}b`]: value("b") });
    const found = await caller.cache.mget([`${key}a`, `${key}b`]);
    for (const name of ["a", "b"]) caller.check(`${key}${name}`, found.get(`${key}${name}`), 0, 1);
  },
  async incr(caller: Caller) {
    const { counter: before, era, mayForget } = caller;
    const doubtful = performance.now() < caller.late.untilMs ? caller.late.times : 0;
    caller.counter = undefined;
    const value = Number(
      await caller.cache.incr(`counter:${caller.id}`, 1, { create: true, ttl: null }).catch((error: unknown) => {
        if (error instanceof TimeoutError) {
          caller.late = { times: doubtful + 1, untilMs: performance.now() + LATE_MS };
        }
        throw error;
      }),
    );
    if (era !== caller.era) return;
    const least = before === undefined || mayForget ? 1 : before + 1;
    const most = before === undefined ? ANY : before + 1 + doubtful;
    if (value < least || value > most) {
      caller.wrong(`counter:${caller.id} was ${before}, and is ${value} after 1 was added`);
    }
    // An old primary that returns has the values from before the loss.
    caller.counter = mayForget ? Math.max(value, before ?? 0) : value;
  },
  async getOrSet(caller: Caller) {
    // Some callers share it, and it expires soon.
    const key = `loaded:${caller.id % 10}:${caller.version % 10}`;
    const found = await caller.cache.getOrSet(key, () => ({ key, version: 1 }), { ttl: "1s" });
    if (found === undefined) caller.wrong(`${key} was loaded and is nothing`);
    caller.check(key, found, 0, 1);
  },
  async hash(caller: Caller) {
    const name = `hash:${caller.id}`;
    const version = ++caller.version;
    await caller.cache.hashes.set(name, "field", { key: name, version });
    caller.check(name, await caller.cache.hashes.get(name, "field"), 0, version);
  },
  async members(caller: Caller) {
    const name = `set:${caller.id}`;
    await caller.cache.sets.add(name, [{ key: name, version: 1 }]);
    for (const member of await caller.cache.sets.members(name)) caller.check(name, member, 0, 1);
  },
  async expiry(caller: Caller) {
    const key = `brief:${caller.id}`;
    await caller.cache.set(key, { key, version: 1 }, { ttl: 60 });
    await caller.cache.touch(key, 120);
    const left = await caller.cache.ttl(key);
    if (left === null || (left !== undefined && left > 120)) caller.wrong(`${key} stays for ${left} s, not 120`);
  },
  async lock(caller: Caller) {
    const name = `lock:${caller.id % 5}`;
    const lock = await caller.cache.lock(name, { ttl: "2s" });
    await lock?.release();
  },
  async deletePattern(caller: Caller) {
    // A different key each time, as a write that timed out may run later.
    const key = `doomed:${caller.id}:${++caller.version}`;
    await caller.cache.set(key, { key, version: 1 });
    await caller.cache.deletePattern(`doomed:${caller.id}:*`);
    if (await caller.cache.has(key)) caller.wrong(`${key} was deleted, and is there`);
  },
} satisfies Readonly<Record<string, (caller: Caller) => Promise<void>>>;

export type StepName = keyof typeof STEPS;
