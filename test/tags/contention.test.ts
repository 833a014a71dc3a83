import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, inject, it } from "vitest";
import type { Connection, ConnectionFactory, Reply } from "../../src/core/connection.js";
import { ConnectionError, ReplyError } from "../../src/core/errors.js";
import { type Cache, createCache, iovalkey, memory } from "../../src/index.js";

const open: Cache[] = [];
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())));

/** What a writer of the same key does after each look of a script at the tags of the entry. */
type Interference = (other: Cache, turn: number) => Promise<unknown>;

const replaces: Interference = (other, turn) => other.set("k", turn, { tags: [`tag ${turn}`] });

const replacesByPurged: Interference = async (other, turn) => {
  await replaces(other, turn);
  await other.purgeTags([`tag ${turn}`], { soft: turn % 2 === 0 });
};

/** A cache whose entry "k" another writer replaces while its tags are judged, for a number of turns. */
function contended(store: ConnectionFactory, location: string, turns = Number.POSITIVE_INFINITY) {
  const keyPrefix = randomUUID();
  const errors: unknown[] = [];
  const seen = { looks: 0, errors, interfere: replaces };
  const factory: ConnectionFactory = {
    shares: false,
    connect(...given): Connection {
      const inner = store.connect(...given);
      const script = inner.script.bind(inner);
      inner.script = async (...args): Promise<Reply> => {
        const reply = await script(...args);
        if (Array.isArray(reply) && seen.looks++ < turns) await seen.interfere(other, seen.looks);
        return reply;
      };
      return inner;
    },
  };
  const onError = (error: unknown, context: unknown) => seen.errors.push([error, context]);
  const make = (ignoreErrors: boolean, connectionFactory: ConnectionFactory): Cache =>
    createCache({ location, keyPrefix, connectionFactory, ignoreErrors, onError });
  const [other, cache, forgiving] = [make(false, store), make(false, factory), make(true, factory)];
  open.push(other, cache, forgiving);
  return { seen, other, cache, forgiving };
}

/** A call that must know whether the entry was purged before it changes it. */
interface Case {
  readonly what: string;
  /** The method in reports. */
  readonly method: string;
  readonly call: (cache: Cache) => Promise<unknown>;
  readonly interfere: Interference;
  readonly succeeds: unknown;
  /** What a cache answers that ignores errors. */
  readonly otherwise: unknown;
}

const created = { interfere: replacesByPurged, succeeds: true, otherwise: false };
const counted = { interfere: replacesByPurged, otherwise: 0 };
const moved = { interfere: replaces, succeeds: 2, otherwise: 0 };
const CASES: readonly Case[] = [
  { what: "add", method: "add", call: (cache) => cache.add("k", 1), ...created },
  { what: "set with nx", method: "set", call: (cache) => cache.set("k", 1, { nx: true, tags: ["own"] }), ...created },
  {
    what: "set with xx",
    method: "set",
    call: (cache) => cache.set("k", 1, { xx: true }),
    ...created,
    interfere: replaces,
  },
  { what: "incr", method: "incr", call: (cache) => cache.incr("k", 2, { create: true }), succeeds: 2, ...counted },
  { what: "decr", method: "decr", call: (cache) => cache.decr("k", 2, { create: true }), succeeds: -2, ...counted },
  { what: "incrVersion", method: "incrVersion", call: (cache) => cache.incrVersion("k"), ...moved },
  { what: "decrVersion", method: "decrVersion", call: (cache) => cache.decrVersion("k", -1), ...moved },
];

describe.each<[string, () => ConnectionFactory, () => string]>([
  ["in memory", memory, () => "memory:"],
  ["on a server", iovalkey, () => inject("valkeyUrl")],
])("an entry whose tags another writer keeps replacing, %s", (_where, store, location) => {
  it.each(CASES)("ends $what with an error that names the key, after 16 turns", async (given) => {
    const { method, call, interfere, otherwise } = given;
    const { seen, other, cache, forgiving } = contended(store(), location());
    seen.interfere = interfere;
    await interfere(other, 0);
    const error: unknown = await call(cache).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ReplyError);
    expect(error).toMatchObject({ code: "TRYAGAIN" });
    expect(String(error)).toMatch(/key "[^"]*k": ".+" gave up, as other writers keep replacing .*; retry it$/);
    expect(seen.looks).toBe(16);
    expect(await call(forgiving)).toBe(otherwise);
    expect(seen.errors).toEqual([
      [expect.objectContaining({ code: "TRYAGAIN" }), { method, key: expect.stringMatching(/k$/) }],
    ]);
  });

  it.each(CASES)("is changed by $what once the other writer rests", async ({ call, interfere, succeeds }) => {
    const { seen, other, cache } = contended(store(), location(), 14);
    seen.interfere = interfere;
    await interfere(other, 0);
    expect(await call(cache)).toBe(succeeds);
    expect(seen.looks).toBe(15);
  });

  it("does not hold up the methods that change what was there, whatever has replaced it since", async () => {
    const { seen, other, cache } = contended(store(), location());
    const calls: ((cache: Cache) => Promise<boolean>)[] = [
      (one) => one.touch("k", 60),
      (one) => one.expire("k", 60),
      (one) => one.expireAt("k", Date.now() / 1_000 + 60),
      (one) => one.persist("k"),
      (one) => one.expireSoft("k"),
    ];
    for (const [i, call] of calls.entries()) {
      await other.set("k", 0, { tags: ["a"], ttl: 30 });
      expect(await call(cache)).toBe(true);
      expect(seen.looks).toBe(i + 1);
    }
  });
});

it.each([
  ["getOrSet", (cache: Cache) => cache.getOrSet("k", ({ tags }) => tags("red") ?? 1), "k"],
  [
    "getOrSetMany",
    (cache: Cache) =>
      cache.getOrSetMany(["k", "l"], (missing, { tags }) => {
        tags("red");
        return new Map(missing.map((key) => [key, 1]));
      }),
    "",
  ],
] as const)(
  "a purge log that can't be begun is reported as an error of %s, which answers",
  async (method, call, key) => {
    const store = memory();
    const errors: unknown[] = [];
    const factory: ConnectionFactory = {
      shares: false,
      connect(...given): Connection {
        const inner = store.connect(...given);
        inner.script = () => Promise.reject(new ConnectionError("the connection was lost"));
        return inner;
      },
    };
    const cache = createCache({
      ...{ location: "memory:", keyPrefix: randomUUID(), connectionFactory: factory },
      onError: (_error, context) => errors.push(context),
    });
    open.push(cache);
    const answer = await call(cache);
    expect(answer instanceof Map ? [...answer.values()] : [answer]).toEqual(key === "" ? [1, 1] : [1]);
    expect(errors).toEqual([{ method, key: key === "" ? "" : expect.stringMatching(/:k$/) }]);
  },
);
