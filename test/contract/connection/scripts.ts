import { describe, expect, it } from "vitest";
import type { Argument, Script } from "../../../src/core/connection.js";
import { ReplyError } from "../../../src/core/errors.js";
import type { ConnectionSubject } from "../connection.js";
import { a, b, bulk, plain } from "./rows.js";

const bytes = (text: Argument | undefined): Uint8Array => new Uint8Array(Buffer.from((text ?? "") as string));

const echo: Script = {
  name: "echo",
  lua: "return {KEYS[1], KEYS[2], ARGV[1], ARGV[2], #ARGV}",
  twin: (_call, keys, args) => [bytes(keys[0]), bytes(keys[1]), bytes(args[0]), bytes(args[1]), args.length],
};

const shapes: Script = {
  name: "shapes",
  lua: `
    return {
      redis.call('SET', KEYS[1], ARGV[1]), redis.call('GET', KEYS[1]), redis.call('EXISTS', KEYS[1]),
      redis.call('GET', KEYS[2]), {1, {}}
    }`,
  twin: (call, keys, args) => [
    call("SET", keys[0] ?? "", args[0] ?? ""),
    call("GET", keys[0] ?? ""),
    call("EXISTS", keys[0] ?? ""),
    call("GET", keys[1] ?? ""),
    [1, []],
  ],
};

const nothing: Script = { name: "nothing", lua: "return nil", twin: () => null };

const compareAndSet: Script = {
  name: "compareAndSet",
  lua: `
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2])
    return 1`,
  twin: (call, keys, args) => {
    const stored = call("GET", keys[0] ?? "");
    if (!(stored instanceof Uint8Array) || Buffer.compare(stored, bytes(args[0])) !== 0) return 0;
    call("SET", keys[0] ?? "", args[1] ?? "");
    return 1;
  },
};

const refuse: Script = {
  name: "refuse",
  lua: "return redis.error_reply('MYCODE not today')",
  twin: () => new ReplyError("MYCODE", "not today"),
};

const fail: Script = {
  name: "fail",
  lua: "redis.call('SET', KEYS[1], 'written') return redis.call('SADD', KEYS[1], 'member')",
  twin: (call, keys) => {
    call("SET", keys[0] ?? "", "written");
    return call("SADD", keys[0] ?? "", "member");
  },
};

export function scripts(subject: () => ConnectionSubject): void {
  describe("a script", () => {
    it("receives its keys and arguments as text or bytes", async () => {
      const binary = Uint8Array.of(0, 255, 10, 13);
      const reply = await subject().connection.script(echo, [a, b], ["é", binary]);
      expect(plain(reply)).toEqual([bulk(a), bulk(b), bulk("é"), bulk([...binary]), 2]);
    });

    it("replies in the port's shapes", async () => {
      const { connection } = subject();
      expect(plain(await connection.script(shapes, [a, b], ["value"]))).toEqual([
        "OK",
        bulk("value"),
        1,
        null,
        [1, []],
      ]);
      expect(await connection.script(nothing, [a], [])).toBeNull();
    });

    it("runs atomically: of many that compare and set, one wins", async () => {
      const { connection, other } = subject();
      await using second = await other();
      await connection.send([["SET", a, "start"]]);
      const tries = Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? connection : second).script(compareAndSet, [a], ["start", `winner ${index}`]),
      );
      expect((await Promise.all(tries)).filter((won) => won === 1)).toHaveLength(1);
    });

    it("rejects with the error that it returns", async () => {
      const refused = subject().connection.script(refuse, [a], []);
      await expect(refused).rejects.toMatchObject({ name: "ReplyError", code: "MYCODE", detail: /not today/ });
    });

    it("rejects with the error of its failing command, and earlier writes stay", async () => {
      const { connection } = subject();
      await expect(connection.script(fail, [a], [])).rejects.toMatchObject({ name: "ReplyError", code: "WRONGTYPE" });
      expect((await connection.send([["GET", a]])).map(plain)).toEqual([bulk("written")]);
    });

    it("runs even after the server has lost it", async () => {
      const { connection } = subject();
      const run = () => connection.script(echo, [a, b], ["1", "2"]);
      const before = await run();
      // A transport without a script cache answers with an error, which is as good.
      await connection.send([["SCRIPT", "FLUSH"]]);
      expect(plain(await run())).toEqual(plain(before));
    });
  });
}
