import type { Cache } from "../../../src/cache/cache.js";
import { all } from "./sets.js";

/** Every method of a cache that needs the store. */
export type CommandName = Exclude<
  keyof Cache,
  | "connection"
  | "for"
  | "on"
  | "health"
  | "makeKey"
  | "makePattern"
  | "encode"
  | "decode"
  | "compressBytes"
  | "decompressBytes"
  | "close"
  | typeof Symbol.asyncDispose
>;

interface CommandCase {
  /** Calls it with arguments that are in order. */
  run(cache: Cache): Promise<unknown>;
  /** What it answers when the store fails and that is to be ignored. */
  readonly otherwise: unknown;
}

const nothing = () => new Map();
const expires = () => new Date(Date.now() + 60_000);

/** One call of each. A new method without a row here does not compile. */
export const COMMANDS: Readonly<Record<CommandName, CommandCase>> = {
  get: { run: (cache) => cache.get("a"), otherwise: undefined },
  set: { run: (cache) => cache.set("a", 1), otherwise: false },
  add: { run: (cache) => cache.add("a", 1), otherwise: false },
  getOrSet: { run: (cache) => cache.getOrSet("a", () => "loaded"), otherwise: "loaded" },
  getOrSetMany: { run: (cache) => cache.getOrSetMany(["a"], () => ({ a: 1 })), otherwise: new Map([["a", 1]]) },
  getMany: { run: (cache) => cache.getMany(["a", "b"]), otherwise: nothing() },
  mget: { run: (cache) => cache.mget(["{t}a", "{t}b"]), otherwise: nothing() },
  setMany: { run: (cache) => cache.setMany({ a: 1, b: 2 }), otherwise: ["a", "b"] },
  mset: { run: (cache) => cache.mset({ "{t}a": 1, "{t}b": 2 }), otherwise: undefined },
  delete: { run: (cache) => cache.delete("a"), otherwise: false },
  deleteMany: { run: (cache) => cache.deleteMany(["a", "b"]), otherwise: 0 },
  has: { run: (cache) => cache.has("a"), otherwise: false },
  incr: { run: (cache) => cache.incr("a"), otherwise: 0 },
  decr: { run: (cache) => cache.decr("a"), otherwise: 0 },
  incrVersion: { run: (cache) => cache.incrVersion("{t}a"), otherwise: 0 },
  decrVersion: { run: (cache) => cache.decrVersion("{t}a"), otherwise: 0 },
  ttl: { run: (cache) => cache.ttl("a"), otherwise: undefined },
  pttl: { run: (cache) => cache.pttl("a"), otherwise: undefined },
  touch: { run: (cache) => cache.touch("a"), otherwise: false },
  expire: { run: (cache) => cache.expire("a", 1), otherwise: false },
  pexpire: { run: (cache) => cache.pexpire("a", 1), otherwise: false },
  expireAt: { run: (cache) => cache.expireAt("a", expires()), otherwise: false },
  pexpireAt: { run: (cache) => cache.pexpireAt("a", expires()), otherwise: false },
  persist: { run: (cache) => cache.persist("a"), otherwise: false },
  sadd: { run: (cache) => cache.sadd("s", [1]), otherwise: 0 },
  srem: { run: (cache) => cache.srem("s", [1]), otherwise: 0 },
  scard: { run: (cache) => cache.scard("s"), otherwise: 0 },
  sismember: { run: (cache) => cache.sismember("s", 1), otherwise: false },
  smismember: { run: (cache) => cache.smismember("s", [1, 2]), otherwise: [false, false] },
  smembers: { run: (cache) => cache.smembers("s"), otherwise: new Set() },
  sdiff: { run: (cache) => cache.sdiff(["{t}a", "{t}b"]), otherwise: new Set() },
  sinter: { run: (cache) => cache.sinter(["{t}a", "{t}b"]), otherwise: new Set() },
  sunion: { run: (cache) => cache.sunion(["{t}a", "{t}b"]), otherwise: new Set() },
  sdiffstore: { run: (cache) => cache.sdiffstore("{t}c", ["{t}a", "{t}b"]), otherwise: 0 },
  sinterstore: { run: (cache) => cache.sinterstore("{t}c", ["{t}a", "{t}b"]), otherwise: 0 },
  sunionstore: { run: (cache) => cache.sunionstore("{t}c", ["{t}a", "{t}b"]), otherwise: 0 },
  smove: { run: (cache) => cache.smove("{t}a", "{t}b", 1), otherwise: false },
  spop: { run: (cache) => cache.spop("s"), otherwise: undefined },
  srandmember: { run: (cache) => cache.srandmember("s"), otherwise: undefined },
  sscan: { run: (cache) => cache.sscan("s"), otherwise: { cursor: "0", members: [] } },
  sscanIter: { run: (cache) => all(cache.sscanIter("s")), otherwise: [] },
  hset: { run: (cache) => cache.hset("h", "f", 1), otherwise: 0 },
  hget: { run: (cache) => cache.hget("h", "f"), otherwise: undefined },
  hgetAll: { run: (cache) => cache.hgetAll("h"), otherwise: nothing() },
  hdel: { run: (cache) => cache.hdel("h", "f"), otherwise: 0 },
  hlen: { run: (cache) => cache.hlen("h"), otherwise: 0 },
  hkeys: { run: (cache) => cache.hkeys("h"), otherwise: [] },
  hexists: { run: (cache) => cache.hexists("h", "f"), otherwise: false },
  keys: { run: (cache) => cache.keys(), otherwise: [] },
  iterKeys: { run: (cache) => all(cache.iterKeys()), otherwise: [] },
  deletePattern: { run: (cache) => cache.deletePattern("a*"), otherwise: 0 },
  clear: { run: (cache) => cache.clear(), otherwise: 0 },
  flush: { run: (cache) => cache.flush(), otherwise: undefined },
  lock: { run: (cache) => cache.lock("job"), otherwise: undefined },
};
