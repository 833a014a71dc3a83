import type { Cache } from "../../../src/cache/cache.js";
import { all } from "./sets.js";

/** Every method of a cache and its parts that needs the store. */
export type CommandName =
  | Exclude<
      keyof Cache,
      | "connection"
      | "invocation"
      | "namespace"
      | "shared"
      | "events"
      | "track"
      | "purges"
      | "parts"
      | "report"
      | "codec"
      | "sets"
      | "hashes"
      | "for"
      | "on"
      | "health"
      | "makeKey"
      | "makePattern"
      | "close"
      | typeof Symbol.asyncDispose
    >
  | `sets.${keyof Cache["sets"]}`
  | `hashes.${keyof Cache["hashes"]}`;

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
  touch: { run: (cache) => cache.touch("a"), otherwise: false },
  expire: { run: (cache) => cache.expire("a", 1), otherwise: false },
  expireAt: { run: (cache) => cache.expireAt("a", expires()), otherwise: false },
  expireSoft: { run: (cache) => cache.expireSoft("a"), otherwise: false },
  expireSoftMany: { run: (cache) => cache.expireSoftMany(["a", "b"]), otherwise: 0 },
  persist: { run: (cache) => cache.persist("a"), otherwise: false },
  "sets.add": { run: (cache) => cache.sets.add("s", [1]), otherwise: 0 },
  "sets.delete": { run: (cache) => cache.sets.delete("s", [1]), otherwise: 0 },
  "sets.size": { run: (cache) => cache.sets.size("s"), otherwise: 0 },
  "sets.has": { run: (cache) => cache.sets.has("s", 1), otherwise: false },
  "sets.hasMany": { run: (cache) => cache.sets.hasMany("s", [1, 2]), otherwise: [false, false] },
  "sets.members": { run: (cache) => cache.sets.members("s"), otherwise: new Set() },
  "sets.difference": { run: (cache) => cache.sets.difference(["{t}a", "{t}b"]), otherwise: new Set() },
  "sets.intersection": { run: (cache) => cache.sets.intersection(["{t}a", "{t}b"]), otherwise: new Set() },
  "sets.union": { run: (cache) => cache.sets.union(["{t}a", "{t}b"]), otherwise: new Set() },
  "sets.differenceStore": { run: (cache) => cache.sets.differenceStore("{t}c", ["{t}a", "{t}b"]), otherwise: 0 },
  "sets.intersectionStore": { run: (cache) => cache.sets.intersectionStore("{t}c", ["{t}a", "{t}b"]), otherwise: 0 },
  "sets.unionStore": { run: (cache) => cache.sets.unionStore("{t}c", ["{t}a", "{t}b"]), otherwise: 0 },
  "sets.move": { run: (cache) => cache.sets.move("{t}a", "{t}b", 1), otherwise: false },
  "sets.pop": { run: (cache) => cache.sets.pop("s"), otherwise: undefined },
  "sets.random": { run: (cache) => cache.sets.random("s"), otherwise: undefined },
  "sets.scan": { run: (cache) => cache.sets.scan("s"), otherwise: { cursor: "0", members: [] } },
  "sets.iterate": { run: (cache) => all(cache.sets.iterate("s")), otherwise: [] },
  "hashes.set": { run: (cache) => cache.hashes.set("h", "f", 1), otherwise: 0 },
  "hashes.get": { run: (cache) => cache.hashes.get("h", "f"), otherwise: undefined },
  "hashes.getAll": { run: (cache) => cache.hashes.getAll("h"), otherwise: nothing() },
  "hashes.delete": { run: (cache) => cache.hashes.delete("h", "f"), otherwise: 0 },
  "hashes.size": { run: (cache) => cache.hashes.size("h"), otherwise: 0 },
  "hashes.fields": { run: (cache) => cache.hashes.fields("h"), otherwise: [] },
  "hashes.has": { run: (cache) => cache.hashes.has("h", "f"), otherwise: false },
  keys: { run: (cache) => cache.keys(), otherwise: [] },
  iterKeys: { run: (cache) => all(cache.iterKeys()), otherwise: [] },
  deletePattern: { run: (cache) => cache.deletePattern("a*"), otherwise: 0 },
  clear: { run: (cache) => cache.clear(), otherwise: 0 },
  purgeTags: { run: (cache) => cache.purgeTags(["a"]), otherwise: undefined },
  flush: { run: (cache) => cache.flush(), otherwise: undefined },
  lock: { run: (cache) => cache.lock("job"), otherwise: undefined },
};
