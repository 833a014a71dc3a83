import { describe, expect, it } from "vitest";
import { define, type StandardSchema, wrap } from "../../../src/index.js";
import type { Open } from "../cache.js";
import { ownPrefix } from "./stored.js";

/** Accepts objects with a text `name`, and adds a greeting. */
export const NAMED: StandardSchema<{ name: string }, { name: string; greeting: string }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value === "object" && value !== null && "name" in value && typeof value.name === "string"
        ? { value: { name: value.name, greeting: `Hello ${value.name}` } }
        : { issues: [{ message: "not a text", path: ["name"] }] },
  },
};

export function definitions(open: Open): void {
  describe("a definition", () => {
    it("loads a value once, and answers what is stored from then on", async () => {
      const loaded: string[] = [];
      const users = define(open(), {
        key: (id: string) => `user:${id}`,
        load: async (id) => {
          loaded.push(id);
          return { id };
        },
        ttl: "5m",
      });
      expect(await users.peek("7")).toBeUndefined();
      expect(await users.get("7")).toEqual({ id: "7" });
      expect(await users.get("7")).toEqual({ id: "7" });
      expect(await users.peek("7")).toEqual({ id: "7" });
      expect(loaded).toEqual(["7"]);
      expect(await users.delete("7")).toBe(true);
      expect(await users.peek("7")).toBeUndefined();
      await users.set("7", { id: "seven" });
      expect(await users.get("7")).toEqual({ id: "seven" });
      expect(await users.refresh("7")).toEqual({ id: "7" });
      expect(await users.get("7")).toEqual({ id: "7" });
    });

    it("answers several ids by id, and loads those that are missing by one call", async () => {
      const asked: number[][] = [];
      const cache = open();
      const squares = define(cache, {
        key: (n: number) => `square:${n}`,
        load: (n) => n * n,
        loadMany: (ns) => {
          asked.push(ns);
          return new Map(ns.filter((n) => n !== 5).map((n) => [n, n * n]));
        },
        ttl: "5m",
      });
      await squares.get(2);
      expect(await squares.getMany([3, 2, 5, 4, 3])).toEqual(
        new Map([
          [3, 9],
          [2, 4],
          [4, 16],
        ]),
      );
      expect(asked.map((ns) => [...ns].sort())).toEqual([[3, 4, 5]]);
      expect(await squares.getMany([])).toEqual(new Map());
    });

    it("replaces a stored value that its schema refuses, by one load of a process", async () => {
      const cache = open();
      let loads = 0;
      const users = define(cache, {
        key: (id: string) => `user:${id}`,
        load: async (id) => {
          loads++;
          return { name: id };
        },
        loadMany: (ids) => {
          loads++;
          return Object.fromEntries(ids.map((id) => [id, { name: id }]));
        },
        schema: NAMED,
        ttl: "5m",
      });
      await cache.setMany({ "user:7": { title: "old" }, "user:8": { title: "old" }, "user:9": { name: "kept" } });
      const greeted = { name: "7", greeting: "Hello 7" };
      expect(await Promise.all(Array.from({ length: 5 }, () => users.get("7")))).toEqual(Array(5).fill(greeted));
      expect(loads).toBe(1);
      expect(await cache.get("user:7")).toEqual({ name: "7" });
      expect(await users.getMany(["7", "8", "9"])).toEqual(
        new Map([
          ["7", greeted],
          ["8", { name: "8", greeting: "Hello 8" }],
          ["9", { name: "kept", greeting: "Hello kept" }],
        ]),
      );
      expect(loads).toBe(2);
      expect(await cache.getMany(["user:8", "user:9"])).toEqual(
        new Map([
          ["user:8", { name: "8" }],
          ["user:9", { name: "kept" }],
        ]),
      );
    });

    it("of one version leaves the values of another version alone", async () => {
      const keyPrefix = ownPrefix();
      const of = (version: string | number | undefined) =>
        define(open({ keyPrefix }), { key: (id: string) => id, load: () => String(version), version, ttl: "5m" });
      const releases = [of(undefined), of(1), of("b")];
      for (let round = 0; round < 2; round++) {
        expect(await Promise.all(releases.map((one) => one.get("a")))).toEqual(["undefined", "1", "b"]);
      }
    });
  });

  describe("the tags of a definition", () => {
    const teamOf = ({ team }: { readonly team: string }, id: string) => ["users", `team:${team}`, `id:${id}`];
    const load = (id: string) => ({ team: id < "m" ? "red" : "blue" });

    it("end the values that have them, however these were stored", async () => {
      const cache = open();
      const users = define(cache, {
        key: (id: string) => `user:${id}`,
        load,
        loadMany: (ids) => new Map(ids.map((id) => [id, load(id)])),
        tags: teamOf,
        ttl: "5m",
      });
      const fill = async () => {
        await users.get("a");
        await users.getMany(["b", "y"]);
        await users.set("c", { team: "red" });
        await users.refresh("z");
      };
      const left = async () => {
        const found = await Promise.all(
          ["a", "b", "c", "y", "z"].map(async (id) => ((await users.peek(id)) ? id : "")),
        );
        return found.join("");
      };
      await fill();
      expect(await left()).toBe("abcyz");
      await cache.purgeTags(["team:red"]);
      expect(await left()).toBe("yz");
      await cache.purgeTags(["id:y"]);
      expect(await left()).toBe("z");
      await fill();
      await cache.purgeTags(["users"]);
      expect(await left()).toBe("");
    });

    it("may be a list, and are made of the schema's output", async () => {
      const cache = open();
      const listed = define(cache, {
        key: (id: string) => `listed:${id}`,
        load: (id) => ({ name: id }),
        tags: ["listed"],
      });
      const greeted = define(cache, {
        key: (id: string) => `greeted:${id}`,
        load: (id) => ({ name: id }),
        loadMany: (ids) => new Map(ids.map((id) => [id, { name: id }])),
        schema: NAMED,
        tags: ({ greeting }) => [greeting],
      });
      await listed.get("a");
      await listed.set("b", { name: "b" });
      await greeted.get("a");
      await greeted.getMany(["b"]);
      await greeted.set("c", { name: "c" });
      await cache.purgeTags(["listed", "Hello a", "Hello b", "Hello c"]);
      for (const id of ["a", "b", "c"]) {
        expect(await listed.peek(id)).toBeUndefined();
        expect(await greeted.peek(id)).toBeUndefined();
      }
    });

    it("of a wrapped function are made of the value and the arguments", async () => {
      const cache = open();
      const find = wrap(cache, (id: string) => load(id), { key: "find", tags: (user, id) => teamOf(user, id) });
      await find("a");
      await find("b");
      await cache.purgeTags(["id:a"]);
      expect(await find.peek("a")).toBeUndefined();
      expect(await find.peek("b")).toEqual({ team: "red" });
    });
  });

  it("a wrapped function is called once for equal arguments", async () => {
    const calls: unknown[][] = [];
    const report = wrap(
      open(),
      async (...args: unknown[]) => {
        calls.push(args);
        return calls.length;
      },
      { key: "report", ttl: "5m" },
    );
    expect(await report("a", { x: 1, y: [2n] })).toBe(1);
    expect(await report("a", { y: [2n], x: 1 })).toBe(1);
    expect(await report("a")).toBe(2);
    expect(await report.peek("a")).toBe(2);
    expect(await report.delete("a")).toBe(true);
    expect(await report.peek("a")).toBeUndefined();
    expect(await report.refresh("a")).toBe(3);
    expect(calls).toHaveLength(3);
  });
}
