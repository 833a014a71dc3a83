import { describe, expect, expectTypeOf, inject, it, onTestFinished } from "vitest";
import * as z from "zod";
import { nextTurn } from "../../src/core/async.js";
import {
  type Cache,
  type CacheEvents,
  type CacheOptions,
  createCache,
  define,
  herd,
  nearCache,
  SchemaError,
  type StandardSchema,
  statistics,
} from "../../src/index.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";
import { NAMED } from "../contract/cache/definitions.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";

function open(options: Partial<CacheOptions> = {}): Cache {
  const cache = createCache({ location: "memory:", ...options });
  onTestFinished(() => cache.close());
  return cache;
}

/** A schema that does as it is told. */
function schemaOf(validate: StandardSchema["~standard"]["validate"]): StandardSchema {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const key = (id: string) => id;

describe("a schema", () => {
  it("gives the type and the form of the answers, while the loader's value is stored", async () => {
    const cache = open();
    const Event = z.object({
      at: z.string().transform((text) => new Date(text)),
      tags: z.array(z.string()).default([]),
    });
    const events = define(cache, { key, load: () => ({ at: "2030-01-01T00:00:00Z" }), schema: Event });
    const event = await events.get("1");
    expectTypeOf(event).toEqualTypeOf<{ at: Date; tags: string[] }>();
    expect(event).toEqual({ at: new Date("2030-01-01"), tags: [] });
    expect(await events.get("1")).toEqual(event);
    expect(await events.peek("1")).toEqual(event);
    expect(await events.getMany(["1"])).toEqual(new Map([["1", event]]));
    expect(await cache.get("1")).toEqual({ at: "2030-01-01T00:00:00Z" });
    expectTypeOf(events.set).parameter(1).toEqualTypeOf<{ at: string; tags?: string[] | undefined }>();
    await events.set("2", { at: "2031-01-01T00:00:00Z" });
    expect(await events.get("2")).toEqual({ at: new Date("2031-01-01"), tags: [] });
  });

  it("that refuses a loader's value rejects the call with the place, and nothing is stored", async () => {
    const cache = open();
    const wrong = { name: 7 };
    const users = define(cache, {
      key,
      load: () => wrong,
      loadMany: (ids) => new Map(ids.map((id) => [id, id === "b" ? wrong : { name: id }])),
      schema: NAMED,
    });
    const got = users.get("a");
    await expect(got).rejects.toThrow(SchemaError);
    await expect(got).rejects.toThrow(/^key "a": the schema refuses the value, which is not stored: name: not a text/);
    await expect(got).rejects.toMatchObject({
      name: "SchemaError",
      issues: [{ message: "not a text", path: ["name"] }],
    });
    await expect(users.getMany(["a", "b"])).rejects.toThrow(/^key "b": the schema refuses the value/);
    await expect(Reflect.apply(users.set, users, ["c", wrong])).rejects.toThrow(/^key "c": the schema refuses/);
    expect(await cache.keys()).toEqual([]);
  });

  it("that refuses a stored value has it loaded again, which is an event and is counted", async () => {
    const cache = open();
    const stats = statistics(cache);
    onTestFinished(() => stats.stop());
    const refused: CacheEvents["refused"][] = [];
    cache.on("refused", (event) => refused.push(event));
    const users = define(cache, { key, load: (id) => ({ name: id }), schema: NAMED });
    await cache.set("a", { title: 1 });
    expect(await users.peek("a")).toBeUndefined();
    expect(await users.get("a")).toEqual({ name: "a", greeting: "Hello a" });
    await users.get("a");
    const issues = [{ message: "not a text", path: ["name"] }];
    const stored = String(cache.makeKey("a"));
    expect(refused).toEqual([
      { method: "get", key: stored, issues },
      { method: "getOrSet", key: stored, issues },
    ]);
    expect(stats.snapshot().total.refused).toBe(2);
  });

  it("that refuses a stale value has its caller wait for the refresh", async () => {
    const cache = open({ client: herd({ grace: "5m" }) });
    let loads = 0;
    const mayEnd = deferred<void>();
    const users = define(cache, {
      key,
      load: async (id) => {
        loads++;
        await mayEnd.promise;
        return { name: id };
      },
      schema: NAMED,
      ttl: "5m",
    });
    await cache.set("a", { title: 1 }, { ttl: 0.001 });
    await expect.poll(() => cache.get("a")).toBeUndefined();
    const got = users.get("a");
    await until(() => loads > 0, { what: "a load" });
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    mayEnd.resolve();
    expect(await got).toEqual({ name: "a", greeting: "Hello a" });
    expect(await cache.get("a")).toEqual({ name: "a" });
    expect(loads).toBe(1);
  });

  it("that refuses what another writer stores again and again has the value loaded, whatever is stored", async () => {
    const cache = open();
    const other = schemaOf(() => ({ issues: [{ message: "other" }] }));
    let loads = 0;
    const users = define(cache, { key, load: (id) => ({ name: id, loads: ++loads }), schema: NAMED });
    await cache.set("a", { title: 1 });
    // Stands for the other release: whatever is deleted is there again.
    const script = cache.connection.script.bind(cache.connection);
    Object.assign(cache.connection, { script: async () => 0 });
    expect(await users.get("a")).toEqual({ name: "a", greeting: "Hello a" });
    Object.assign(cache.connection, { script });
    expect(loads).toBe(1);
    await expect(define(cache, { key, load: key, schema: other }).get("a")).rejects.toThrow(SchemaError);
  });

  it("that refuses what the serializer restores of an accepted value says so", async () => {
    const schema = z.object({ at: z.date() });
    const load = () => ({ at: new Date(0) });
    await expect(define(open(), { key, load, schema }).get("a")).rejects.toThrow(
      /^key "a": the schema accepts what the loader returns, but refuses what the cache's serializer restores .*at: .*; use a schema/,
    );
    const exact = define(open({ serializer: structuredClone() }), { key, load, schema });
    expect(await exact.get("a")).toEqual({ at: new Date(0) });
  });

  it("that throws rejects the call with what it threw, and nothing is stored or deleted", async () => {
    const cache = open();
    const why = new Error("why");
    const users = define(cache, {
      key,
      load: (id) => id,
      schema: schemaOf(() => {
        throw why;
      }),
    });
    await expect(users.get("a")).rejects.toBe(why);
    expect(await cache.get("a")).toBeUndefined();
    await cache.set("a", 1);
    await expect(users.get("a")).rejects.toBe(why);
    await expect(users.peek("a")).rejects.toBe(why);
    await expect(users.set("a", "b")).rejects.toBe(why);
    expect(await cache.get("a")).toBe(1);
  });

  it("that is asynchronous is waited for", async () => {
    const cache = open();
    const schema = z.object({ name: z.string() }).refine(async ({ name }) => name !== "no", "taken");
    const users = define(cache, { key, load: (id) => ({ name: id }), schema });
    expect(await users.get("a")).toEqual({ name: "a" });
    expect(await users.getMany(["a"])).toEqual(new Map([["a", { name: "a" }]]));
    await expect(users.get("no")).rejects.toThrow(/taken/);
    expect(await cache.get("no")).toBeUndefined();
    await cache.set("b", { name: "no" });
    expect(await users.get("b")).toEqual({ name: "b" });
  });

  it("that never answers is left by a caller whose signal fires, and a load is given up at the hard timeout", async () => {
    const cache = open();
    const users = define(cache, {
      key,
      load: key,
      loadMany: (ids) => new Map(ids.map((id) => [id, id])),
      schema: schemaOf(() => new Promise(() => {})),
    });
    await cache.set("stored", "a");
    for (const id of ["stored", "loaded"]) {
      for (const call of [users.get, users.refresh, (_: string, given: object) => users.getMany([id], given)]) {
        const controller = new AbortController();
        const left = expect(call.call(users, id, { signal: controller.signal })).rejects.toThrow("left");
        await nextTurn();
        controller.abort(new Error("left"));
        await left;
      }
    }
    await expect(users.get("other", { hardTimeout: 0.01 })).rejects.toThrow(/loader returned no value within 10 ms/);
    expect(await cache.keys()).toEqual(["stored"]);
  });

  it("that accepts undefined answers it, and else a loader without a value rejects", async () => {
    const optional = define(open(), { key, load: () => undefined, schema: z.string().optional() });
    expect(await optional.get("a")).toBeUndefined();
    const withDefault = define(open(), { key, load: () => undefined, schema: z.string().default("none") });
    expect(await withDefault.get("a")).toBe("none");
    const required = define(open(), { key, load: () => undefined, schema: z.string() });
    await expect(required.get("a")).rejects.toThrow(SchemaError);
  });
});

describe("a value that the callers of a near cache share", () => {
  function counted(validate: StandardSchema["~standard"]["validate"]) {
    const counts = { validations: 0 };
    const schema = schemaOf((value) => {
      counts.validations++;
      return validate(value);
    });
    const cache = open({
      location: inject("valkeyUrl"),
      keyPrefix: ownPrefix(),
      nearCache: nearCache({ values: "shared" }),
    });
    return { counts, users: define(cache, { key, load: (id) => ({ name: id, of: { team: ["a"] } }), schema }) };
  }

  /** Until the value comes from the process. */
  async function warm(users: { get(id: string): Promise<unknown> }): Promise<unknown> {
    await expect.poll(async () => new Set([await users.get("a"), await users.get("a")]).size).toBe(1);
    return users.get("a");
  }

  it("is validated once where the schema leaves it as it is, or copies it", async () => {
    for (const validate of [
      (value: unknown) => ({ value }),
      (value: unknown) => ({ value: globalThis.structuredClone(value) }),
    ]) {
      const { counts, users } = counted(validate);
      const shared = await warm(users);
      const { validations } = counts;
      for (let i = 0; i < 10; i++) expect(await users.get("a")).toBe(shared);
      expect(counts.validations).toBe(validations);
    }
  });

  it("is validated each time where the schema makes something else of it", async () => {
    const { counts, users } = counted((value) => ({ value: { value } }));
    await users.get("a");
    const { validations } = counts;
    for (let i = 0; i < 10; i++) expect(await users.get("a")).toEqual({ value: { name: "a", of: { team: ["a"] } } });
    expect(counts.validations).toBe(validations + 10);
  });
});
