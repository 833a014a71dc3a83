import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { type Cache, createCache, define, SchemaError, type StandardSchema } from "../../src/index.js";

interface EventInput {
  readonly name: string;
  readonly at: string;
  readonly tags?: string[] | undefined;
}

interface Event {
  readonly name: string;
  readonly at: Date;
  readonly tags: string[];
}

interface Library {
  /** A name, a date that is made of text, and tags with a default. */
  readonly event: StandardSchema<EventInput, Event>;
  /** Accepts a name after a while, unless it is "taken"; absent where a library has no asynchronous schemas. */
  readonly free?: StandardSchema<{ name: string }, { name: string }>;
}

const isFree = async (name: string): Promise<boolean> => name !== "taken";

const LIBRARIES: Readonly<Record<string, Library>> = {
  zod: {
    event: z.object({
      name: z.string(),
      at: z.iso.datetime().transform((text) => new Date(text)),
      tags: z.array(z.string()).default([]),
    }),
    free: z.object({ name: z.string().refine(isFree) }),
  },
  valibot: {
    event: v.object({
      name: v.string(),
      at: v.pipe(
        v.string(),
        v.isoTimestamp(),
        v.transform((text) => new Date(text)),
      ),
      tags: v.optional(v.array(v.string()), []),
    }),
    free: v.objectAsync({ name: v.pipeAsync(v.string(), v.checkAsync(isFree)) }),
  },
  arktype: {
    event: type({
      name: "string",
      at: type("string.date.iso").pipe((text) => new Date(text)),
      tags: type("string[]").default(() => []),
    }),
  },
};

const AT = "2030-01-01T00:00:00.000Z";
const key = (id: string) => `event:${id}`;

function open(): Cache {
  const cache = createCache({ location: "memory:" });
  onTestFinished(() => cache.close());
  return cache;
}

describe.each(Object.entries(LIBRARIES))("a schema of %s", (_, { event: schema, free }) => {
  const input = (name: string): EventInput => ({ name, at: AT });
  const output = (name: string): Event => ({ name, at: new Date(AT), tags: [] });

  it("answers its output by every method, and what it was made of is stored", async () => {
    const cache = open();
    let loads = 0;
    const load = (id: string): EventInput => {
      loads++;
      return input(id);
    };
    const events = define(cache, {
      key,
      load,
      loadMany: (ids) => new Map(ids.map((id) => [id, load(id)])),
      schema,
      tags: ({ at }) => [`year:${at.getUTCFullYear()}`],
    });
    for (let reads = 0; reads < 2; reads++) {
      expect(await events.get("a")).toEqual(output("a"));
      expect(await events.getMany(["a", "b"])).toEqual(new Map(["a", "b"].map((id) => [id, output(id)])));
    }
    expect(loads).toBe(2);
    await events.set("c", input("c"));
    expect(await events.peek("c")).toEqual(output("c"));
    expect(await events.refresh("c")).toEqual(output("c"));
    expect(await cache.getMany(["a", "b", "c"].map(key))).toEqual(
      new Map(["a", "b", "c"].map((id) => [key(id), input(id)])),
    );
    await cache.purgeTags(["year:2030"]);
    for (const id of ["a", "b", "c"]) expect(await events.peek(id)).toBeUndefined();
  });

  it("names the place of what it refuses, and has a stored value that it refuses loaded again", async () => {
    const cache = open();
    const events = define(cache, {
      key,
      load: (id) => ({ ...input(id), at: id === "wrong" ? "soon" : AT }),
      schema,
    });
    const wrong = events.get("wrong");
    await expect(wrong).rejects.toThrow(SchemaError);
    await expect(wrong).rejects.toThrow(/^key "event:wrong": the schema refuses the value, which is not stored: at: ./);
    await cache.set(key("a"), { name: 7, at: AT });
    expect(await events.peek("a")).toBeUndefined();
    expect(await events.get("a")).toEqual(output("a"));
    expect(await cache.get(key("a"))).toEqual(input("a"));
  });

  it.runIf(free)("may be asynchronous", async () => {
    if (!free) return;
    const cache = open();
    const names = define(cache, {
      key,
      load: (id) => ({ name: id }),
      loadMany: (ids) => new Map(ids.map((id) => [id, { name: id }])),
      schema: free,
    });
    expect(await names.get("a")).toEqual({ name: "a" });
    expect(await names.getMany(["a", "b"])).toEqual(new Map(["a", "b"].map((name) => [name, { name }])));
    for (const refused of [names.get("taken"), names.getMany(["c", "taken"]), names.set("d", { name: "taken" })]) {
      await expect(refused).rejects.toThrow(
        /^key "event:\w+": the schema refuses the value, which is not stored: name: /,
      );
    }
    await cache.set(key("b"), { name: "taken" });
    expect(await names.get("b")).toEqual({ name: "b" });
    expect((await cache.keys()).sort()).toEqual(["event:a", "event:b"]);
  });
});
