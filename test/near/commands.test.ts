import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "iovalkey";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Command } from "../../src/core/connection.js";
import { claimedKey, keysOf, readKeys, writesOf } from "../../src/near/commands.js";
import { root } from "../support/project.js";

const any = (): boolean => true;
const writes = (...command: Command) => writesOf([command], any);

/** What a server says of a command. */
interface Known {
  readonly name: string;
  readonly arity: number;
  readonly flags: ReadonlySet<string>;
}

function toKnown(row: unknown): Known[] {
  if (!Array.isArray(row)) return [];
  const [name, arity, flags, , , , , , , subcommands] = row;
  const own = { name: String(name).toUpperCase(), arity: Number(arity), flags: new Set<string>(flags) };
  return [own, ...(Array.isArray(subcommands) ? subcommands.flatMap(toKnown) : [])];
}

let server: Redis;
let commands: readonly Known[];
beforeAll(async () => {
  const { hostname, port } = new URL(inject("valkeyUrl"));
  server = new Redis(Number(port), hostname);
  const rows = await server.call("COMMAND");
  commands = Array.isArray(rows) ? rows.flatMap(toKnown) : [];
});
afterAll(() => server.disconnect());

/** Arguments that may be right for a command: keys, or a number in one place. */
function guesses({ name, arity }: Known): Command[] {
  const [first = "", ...subcommand] = name.split("|");
  const least = Math.max(1, Math.abs(arity) - 1 - subcommand.length);
  const all: Command[] = [];
  for (let count = least; count <= least + (arity < 0 ? 3 : 0); count++) {
    const args = Array.from({ length: count }, (_none, i) => `key:${i}`);
    all.push([first, ...subcommand, ...args]);
    for (let at = 0; at < count; at++) {
      for (const number of ["1", "2"]) all.push([first, ...subcommand, ...args.with(at, number)]);
    }
  }
  return all;
}

/** With options that name more keys. */
const EXAMPLES: readonly Command[] = [
  ["SORT", "key:1", "BY", "w_*", "STORE", "key:2"],
  ["GEORADIUS", "key:1", "1", "2", "3", "m", "STORE", "key:2"],
  ["MIGRATE", "host", "1", "", "0", "5", "KEYS", "key:1", "key:2"],
  ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "key:1", "key:2", ">", ">"],
  ["EVAL", "return 1", "2", "key:1", "key:2", "arg"],
  ["FCALL", "f", "1", "key:1"],
  ["SET", "key:1", "v", "EX", "5"],
  ["MSET", "key:1", "v", "key:2", "v"],
  ["BITOP", "AND", "key:1", "key:2", "key:3"],
  ["ZUNIONSTORE", "key:1", "2", "key:2", "key:3", "WEIGHTS", "1", "2"],
  ["COPY", "key:1", "key:2", "DB", "1"],
];

describe("what a command may write", () => {
  it("is every key that the server says, of every command of it that writes", async () => {
    const writing = commands.filter(({ flags }) => flags.has("write"));
    expect(writing.length).toBeGreaterThan(100);
    const tried = [...writing.flatMap(guesses), ...EXAMPLES];
    const asked = tried.map(([name, ...args]) => ["command", "GETKEYS", name, ...args.map(String)]);
    const replies = (await server.pipeline(asked).exec()) ?? [];
    const answered = new Set<string>();
    const missed: unknown[] = [];
    for (const [i, command] of tried.entries()) {
      const [error, keys] = replies[i] ?? [];
      if (error || !Array.isArray(keys)) continue;
      answered.add(command[0]);
      const known = writes(...command);
      if (!known.all && !keys.every((key) => known.keys.includes(String(key)))) missed.push({ command, keys, known });
    }
    expect(missed).toEqual([]);
    const unanswered = writing.filter(({ name }) => !answered.has(name.split("|")[0] ?? ""));
    // They name no keys, and may change any.
    for (const { name } of unanswered.filter(({ name }) => !name.startsWith("FUNCTION"))) {
      expect([name, writes(name).all]).toEqual([name, true]);
    }
  });

  it("is nothing for a command that only reads, of those that caches send", () => {
    const folder = join(root, "src");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
    const text = files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
    const sent = new Set([...text.matchAll(/"([A-Z]{3,})"/g)].map(([, name]) => name));
    const reading = commands.filter(({ name, flags }) => sent.has(name) && flags.has("readonly"));
    expect(reading.map(({ name }) => name)).toEqual(expect.arrayContaining(["GET", "MGET", "SSCAN", "HGETALL"]));
    for (const { name } of reading)
      expect([name, writes(name, "key:1", "key:2")]).toEqual([name, { keys: [], all: false }]);
  });

  it("is never nothing for a command that writes, nor for one that nobody knows", () => {
    for (const { name } of commands.filter(({ flags }) => flags.has("write"))) {
      const [first = ""] = name.split("|");
      if (first === "FUNCTION") continue;
      const { keys, all } = writes(first, "key:1");
      expect([name, all || keys.length > 0]).toEqual([name, true]);
    }
    expect(writes("NEW.COMMAND", "key:1").keys).toEqual(["key:1"]);
  });

  it("does not depend on the case of its name", () => {
    expect(writes("set", "key:1", "v").keys).toEqual(["key:1"]);
    expect(writes("flushall").all).toBe(true);
    expect(writes("mGet", "key:1").keys).toEqual([]);
  });

  it("is its key alone where what follows is a value", () => {
    expect(writes("SET", "key:1", "key:2").keys).toEqual(["key:1"]);
    expect(writes("SADD", "key:1", "key:2").keys).toEqual(["key:1"]);
  });

  it("is only what near caches keep, also of keys in bytes", () => {
    const keeps = (key: string): boolean => key.startsWith("a:");
    const bytes = new TextEncoder();
    const command: Command = ["DEL", "a:1", "b:1", bytes.encode("a:é"), bytes.encode("b:2"), new Uint8Array(70_000)];
    expect(writesOf([command, ["GET", "a:2"]], keeps).keys).toEqual(["a:1", "a:é"]);
    expect(keysOf(["a:1", "b:1"], keeps)).toEqual({ keys: ["a:1"], all: false });
  });
});

describe("what a command reads whole", () => {
  it("is the keys of GET and MGET, and nothing of other commands", () => {
    expect(readKeys(["GET", "a"])).toEqual(["a"]);
    expect(readKeys(["MGET", "a", "b"])).toEqual(["a", "b"]);
    expect(readKeys(["GETRANGE", "a", "0", "1"])).toBeUndefined();
    expect(readKeys(["HGET", "a", "b"])).toBeUndefined();
    expect(readKeys(["GET", new Uint8Array(1)])).toBeUndefined();
  });
});

it("a claim reads an entry, or creates it; other forms of SET write whatever is there", () => {
  expect(claimedKey(["SET", "a", "token", "NX", "GET", "PX", "5"])).toBe("a");
  expect(claimedKey(["SET", "a", "token", "GET"])).toBeUndefined();
  expect(claimedKey(["SET", "a", "token", "NX"])).toBeUndefined();
  expect(claimedKey(["SET", "a", "NX"])).toBeUndefined();
  expect(claimedKey(["GETSET", "a", "NX", "GET"])).toBeUndefined();
});
