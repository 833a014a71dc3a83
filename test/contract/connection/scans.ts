import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/connection.js";
import { escapeGlob } from "../../../src/core/glob.js";
import type { ConnectionSubject } from "../connection.js";

const PREFIX = "a*b?[c]\\d^-é:";
const COUNT = 1_200;

export function scans(subject: () => ConnectionSubject): void {
  describe("a scan", () => {
    it("finds all keys under a prefix of special characters", async () => {
      const { connection } = subject();
      const keys = Array.from({ length: COUNT }, (_, index) => `${PREFIX}${index}`);
      const sets = keys.map((key): Command => ["SET", key, "1"]);
      const others = keys.map((_, index): Command => ["SET", `axb?c\\d^-é:${index}`, "1"]);
      await connection.send([...sets, ...others]);
      const found = await collect(subject(), `${escapeGlob(PREFIX)}*`, 100);
      expect(found).toEqual(new Set(keys));
    });

    it("supports wildcards, brackets and escapes", async () => {
      const { connection } = subject();
      const keys = ["h", "ha", "hb", "hc", "hab", "h*", "h[", "é"];
      await connection.send(keys.map((key): Command => ["SET", key, "1"]));
      const find = async (pattern: string) => [...(await collect(subject(), pattern, 10))].sort();
      expect(await find("*")).toEqual([...keys].sort());
      expect(await find("h?")).toEqual(["h*", "h[", "ha", "hb", "hc"]);
      expect(await find("h[ac]")).toEqual(["ha", "hc"]);
      expect(await find("h[a-b]")).toEqual(["ha", "hb"]);
      expect(await find("h[^a-b]")).toEqual(["h*", "h[", "hc"]);
      expect(await find("h\\*")).toEqual(["h*"]);
      expect(await find("h*b")).toEqual(["hab", "hb"]);
      expect(await find("é")).toEqual(["é"]);
      expect(await find("")).toEqual([]);
    });

    it("omits expired and deleted keys", async () => {
      const { connection } = subject();
      await connection.send([
        ["SET", "gone", "1"],
        ["SET", "past", "1"],
        ["SET", "here", "1"],
      ]);
      await connection.send([["DEL", "gone"]]);
      await connection.send([["PEXPIREAT", "past", "1"]]);
      expect(await collect(subject(), "*", 10)).toEqual(new Set(["here"]));
    });

    it("ends for an empty keyspace", async () => {
      expect(await collect(subject(), "*", 10)).toEqual(new Set());
    });

    it("finds the remaining keys while its batches are deleted and other keys are added", async () => {
      const { connection } = subject();
      const keys = Array.from({ length: COUNT }, (_, index) => `old:${index}`);
      await connection.send(keys.map((key): Command => ["SET", key, "1"]));
      const deleted = new Set<string>();
      for await (const batch of connection.scan({ match: "old:*", count: 50 })) {
        if (batch.length === 0) continue;
        for (const key of batch) deleted.add(key);
        const made = batch.map((key): Command => ["SET", `new:${key}`, "1"]);
        await connection.send([...batch.map((key): Command => ["UNLINK", key]), ...made]);
      }
      expect(deleted).toEqual(new Set(keys));
      expect(await collect(subject(), "old:*", 100)).toEqual(new Set());
    });

    it("can end early, and the connection stays usable", async () => {
      const { connection } = subject();
      await connection.send(Array.from({ length: COUNT }, (_, index): Command => ["SET", `key:${index}`, "1"]));
      let batches = 0;
      for await (const batch of connection.scan({ match: "key:*", count: 10 })) {
        if (batch.length > 0 && ++batches === 2) break;
      }
      expect(batches).toBe(2);
      expect(await connection.send([["EXISTS", "key:0"]])).toEqual([1]);
    });
  });
}

async function collect({ connection }: ConnectionSubject, match: string, count: number): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const batch of connection.scan({ match, count })) for (const key of batch) found.add(key);
  return found;
}
