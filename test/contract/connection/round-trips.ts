import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/connection.js";
import { ReplyError } from "../../../src/core/errors.js";
import type { ConnectionSubject } from "../connection.js";
import { a, answers, b, bulk, c, plain, refused } from "./rows.js";

export function roundTrips(subject: () => ConnectionSubject): void {
  describe("a round trip", () => {
    it("without commands has no replies", async () => {
      const { connection } = subject();
      expect(await connection.send([])).toEqual([]);
      expect(await connection.send([], { atomic: true })).toEqual([]);
    });

    it("sends commands for keys of any slots, and has the replies in order", async () => {
      const { connection } = subject();
      const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
      const sets = keys.map((key, index): Command => ["SET", key, `value ${index}`]);
      expect(await connection.send(sets)).toEqual(keys.map(() => "OK"));
      const replies = await connection.send(keys.map((key): Command => ["GET", key]));
      expect(replies.map(plain)).toEqual(keys.map((_, index) => bulk(`value ${index}`)));
    });

    it("sends MGET, DEL and EXISTS for keys of any slots", async () => {
      const { connection } = subject();
      const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
      await connection.send(keys.map((key): Command => ["SET", key, key]));
      const [values] = await connection.send([["MGET", "missing", ...keys]]);
      expect(plain(values)).toEqual([null, ...keys.map(bulk)]);
      expect(await connection.send([["EXISTS", ...keys]])).toEqual([50]);
      expect(await connection.send([["DEL", ...keys.slice(1)]])).toEqual([49]);
      expect(await connection.send([["UNLINK", ...keys]])).toEqual([1]);
    });

    answers(subject, "has each error in the place of its command's reply", [
      [["SADD", a, "member"], 1],
      [["GET", a], refused("WRONGTYPE")],
      [["INCR", a], refused("WRONGTYPE")],
      [["HGET", a, "f"], refused("WRONGTYPE")],
      [["SET", b, "text"], "OK"],
      [["SADD", b, "member"], refused("WRONGTYPE")],
      [["HSET", b, "f", "1"], refused("WRONGTYPE")],
      [["SUNION", a, b], refused("WRONGTYPE")],
      [["INCR", b], refused("ERR")],
      [["NOSUCHCOMMAND", b], refused("ERR")],
      [["GET", b], bulk("text")],
    ]);

    it("has CROSSSLOT in place of a command whose keys are in several slots", async ({ skip }) => {
      const { connection, cluster } = subject();
      skip(!cluster, "only a cluster has slots");
      const replies = await connection.send([["SUNION", "one", "two"], ["PING"]]);
      expect(replies.map(plain)).toEqual([refused("CROSSSLOT"), "PONG"]);
    });

    it("of one failing command resolves with its error", async () => {
      const [reply] = await subject().connection.send([["INCRBY", a, "x"]]);
      expect(reply).toBeInstanceOf(ReplyError);
      expect(reply).toMatchObject({ name: "ReplyError", code: "ERR", detail: expect.stringMatching(/integer/) });
    });
  });

  describe("an atomic batch", () => {
    it("runs all commands, and has a runtime error in its place", async () => {
      const { connection } = subject();
      const commands: Command[] = [
        ["SADD", a, "member"],
        ["INCR", a],
        ["SET", b, "1"],
        ["INCR", b],
        ["MGET", b, c],
      ];
      const replies = await connection.send(commands, { atomic: true });
      expect(replies.map(plain)).toEqual([1, refused("WRONGTYPE"), "OK", 2, [bulk("2"), null]]);
    });

    it.each([
      ["a command that the server does not know", ["NOSUCHCOMMAND", a]],
      ["a wrong number of arguments", ["GET", a, b]],
    ] as [string, Command][])("with %s runs nothing, and rejects with EXECABORT", async (_, wrong) => {
      const { connection } = subject();
      const sent = connection.send([["SET", a, "1"], wrong, ["SET", b, "2"]], { atomic: true });
      await expect(sent).rejects.toMatchObject({ name: "ReplyError", code: "EXECABORT" });
      expect(await connection.send([["EXISTS", a, b]])).toEqual([0]);
    });

    it("over several slots of a cluster rejects with CROSSSLOT", async ({ skip }) => {
      const { connection, cluster } = subject();
      skip(!cluster, "only a cluster has slots");
      const commands: Command[] = [
        ["SET", "one", "1"],
        ["SET", "two", "2"],
      ];
      const sent = connection.send(commands, { atomic: true });
      await expect(sent).rejects.toMatchObject({ name: "ReplyError", code: "CROSSSLOT" });
      expect(
        await connection.send([
          ["EXISTS", "one"],
          ["EXISTS", "two"],
        ]),
      ).toEqual([0, 0]);
    });

    it("is not interleaved with other commands", async () => {
      const { connection, other } = subject();
      await using second = await other();
      const bump: Command[] = [
        ["INCR", a],
        ["INCR", a],
        ["INCR", a],
      ];
      const roundTrips = Array.from({ length: 40 }, (_, index) =>
        (index % 2 ? connection : second).send(bump, { atomic: true }),
      );
      for (const [one, two, three] of await Promise.all(roundTrips)) {
        expect([two, three]).toEqual([Number(one) + 1, Number(one) + 2]);
      }
    });
  });
}
