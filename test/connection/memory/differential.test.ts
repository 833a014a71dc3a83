import fc from "fast-check";
import { Redis, Command as VendorCommand } from "iovalkey";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memory } from "../../../src/api/memory.js";
import type { Argument, Command } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { ReplyError } from "../../../src/core/errors.js";
import { compileGlob } from "../../../src/core/glob.js";
import { parseLocation } from "../../../src/core/location.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { commands, KEYS } from "./random-commands.js";

let server: ValkeyServer;
let client: Redis;

beforeAll(async () => {
  server = await startValkey();
  client = new Redis({ host: server.host, port: server.port });
});

afterAll(async () => {
  client.disconnect();
  await server.stop();
});

describe("the memory transport compared with a server", () => {
  it("replies to random commands as the server does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(commands, { minLength: 1, maxLength: 40 }), async (sequence) => {
        const all = [...sequence, ...LOOK];
        const seen = await memory().connect(parseLocation("memory:"), PROCESS).send(all);
        const expected = await askServer(all);
        for (const [index, command] of all.entries()) {
          const told = `${index}: ${command.map(shown).join(" ")}`;
          expect([told, normal(command, seen[index])]).toEqual([told, normal(command, expected[index])]);
        }
      }),
      { numRuns: 1_500 },
    );
  }, 120_000);

  it("matches keys as the server does", async () => {
    const alphabet = fc.constantFrom("a", "b", "c", "*", "?", "[", "]", "^", "-", "\\", "é", "\u{1f40e}");
    const text = fc.string({ unit: alphabet, maxLength: 8 });
    const key = fc.string({ unit: alphabet, minLength: 1, maxLength: 8 }); // the empty key matches "*", but not "**", there
    await fc.assert(
      fc.asyncProperty(fc.array(key, { minLength: 1, maxLength: 10 }), text, async (keys, pattern) => {
        fc.pre(!/\[[^\]]*-[^\]]*[^ -~]|\[[^\]]*[^ -~]-/.test(pattern)); // whether bytes above 127 are negative depends on the machine
        await client.flushall();
        await client.mset(...keys.flatMap((key) => [key, "1"]));
        const matches = compileGlob(pattern);
        expect([...new Set(keys)].filter((key) => matches(key)).sort()).toEqual((await client.keys(pattern)).sort());
      }),
      { numRuns: 1_500 },
    );
  }, 120_000);
});

/** All that is stored, and until when. */
const LOOK = KEYS.flatMap((key): Command[] => [
  ["TYPE", key],
  ["GET", key],
  ["SMEMBERS", key],
  ["HGETALL", key],
  ["ZRANGEBYSCORE", key, "-inf", "+inf", "WITHSCORES"],
  ["PEXPIRETIME", key],
]);

async function askServer(sequence: readonly Command[]): Promise<unknown[]> {
  await client.flushall();
  return Promise.all(
    sequence.map(([name, ...args]) => {
      const bytes = args.map((arg) => Buffer.from(arg as string));
      return Promise.resolve(client.sendCommand(new VendorCommand(name, bytes, {}))).catch((error: unknown) => error);
    }),
  );
}

const UNORDERED = /^(SMEMBERS|SDIFF|SINTER|SUNION|SPOP|SRANDMEMBER|HGETALL|HKEYS|HVALS)$/;

/** Replies of both in one form; where the order is the server's own affair, sorted. */
function normal([name, ...args]: Command, reply: unknown): unknown {
  if (reply instanceof ReplyError) return { refused: `${reply.code} ${reply.detail}` };
  if (reply instanceof Error) return { refused: reply.message };
  if (typeof reply === "number") return normalNumber(name, reply);
  const read = readable(reply);
  if (!Array.isArray(read)) return read;
  if (/^[SH]SCAN$/.test(name)) {
    const found: unknown[] = Array.isArray(read[1]) ? read[1] : [];
    const valued = name === "HSCAN" && !args.some((arg) => /^novalues$/i.test(String(arg)));
    return [read[0], (valued ? pairs(found) : found).map(String).sort()];
  }
  const found = name === "HGETALL" && !Array.isArray(read[0]) ? pairs(read) : read;
  return UNORDERED.test(name) ? found.map((one) => JSON.stringify(one)).sort() : found;
}

/** The client that asks the server adds digits in floating point, and time passes between the two. */
function normalNumber(name: string, reply: number): number | string {
  if (Math.abs(reply) > Number.MAX_SAFE_INTEGER) return "large";
  if (!/TTL|EXPIRETIME/.test(name) || reply < 0) return reply;
  return `about ${Math.round(name.startsWith("P") ? reply / 100_000 : reply / 100)}`;
}

function readable(reply: unknown): unknown {
  if (reply instanceof Uint8Array) return Buffer.from(reply).toString("latin1");
  return Array.isArray(reply) ? reply.map(readable) : reply;
}

function pairs(flat: unknown[]): unknown[][] {
  return flat.flatMap((field, index) => (index % 2 === 0 ? [[field, flat[index + 1]]] : []));
}

function shown(argument: Argument): string {
  return typeof argument === "string" ? JSON.stringify(argument) : `<${Buffer.from(argument).toString("hex")}>`;
}
