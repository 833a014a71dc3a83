import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memory } from "../../../src/api/memory.js";
import { HEADER_LENGTH } from "../../../src/codec/envelope.js";
import type { Connection } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { ReplyError } from "../../../src/core/errors.js";
import { parseLocation } from "../../../src/core/location.js";
import { ownPrefix } from "../cache/stored.js";
import { all, covered, KEYS, type Step, steps } from "./random-scripts.js";

export interface TwinsOptions {
  /** To a server; it ends with the suite. */
  readonly connect: () => Connection;
  /** How many sequences of scripts are tried. */
  readonly numRuns: number;
}

const prefix = ownPrefix();

/** What the scripts do alike on a server and, as their twins, in memory. */
export function twins(name: string, { connect, numRuns }: TwinsOptions): void {
  describe(`scripts on a server, over ${name}, and their twins in memory`, () => {
    let server: Connection;
    beforeAll(() => {
      server = connect();
    });
    afterAll(() => server.close());

    it("answer and leave behind the same", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(steps, { minLength: 2, maxLength: 12, size: "max" }), async (sequence) => {
          const twin = memory().connect(parseLocation("memory:"), PROCESS);
          await server.send([["DEL", ...KEYS.map(named)]]);
          for (const [i, step] of sequence.entries()) {
            const [expected, seen] = await Promise.all([take(server, step), take(twin, step)]);
            const told = `${i}: ${"script" in step ? step.script.name : step[0]}`;
            expect([told, ...seen.map((one, j) => like(one, expected[j]))]).toEqual([told, ...expected]);
          }
        }),
        { numRuns },
      );
    }, 60_000);

    it("are all put to the test", () => {
      expect([...covered]).toEqual(expect.arrayContaining([...all]));
    });
  });
}

/** The reply, and what each key holds then. */
async function take(connection: Connection, step: Step): Promise<unknown[]> {
  const reply = await ("script" in step
    ? connection.script(step.script, step.keys.map(named), step.args).catch((error: unknown) => error)
    : connection.send([[step[0], named(String(step[1])), ...step.slice(2)]]).then(([one]) => one));
  const held = await connection.send(
    KEYS.flatMap((key) => [["GET", named(key)] as const, ["PTTL", named(key)] as const]),
  );
  return [reply, ...held].map(normal);
}

function named(key: string): string {
  return `${prefix}:{twin}:${key}`;
}

function normal(one: unknown): unknown {
  if (one instanceof ReplyError) return { refused: /not an integer|overflow|WRONGTYPE/.exec(String(one))?.[0] };
  if (Array.isArray(one)) return one.map(normal);
  return one instanceof Uint8Array ? Buffer.from(one).toString("latin1") : one;
}

/** What was seen, with moments and lifetimes as expected where they are close to that: time passes between the two. */
function like(seen: unknown, expected: unknown): unknown {
  if (typeof seen === "number" && typeof expected === "number") return isClose(seen, expected) ? expected : seen;
  if (typeof seen !== "string" || typeof expected !== "string") return seen;
  const [number, otherNumber] = [seen, expected].map((one) => /^(\d{16}) /.exec(one)?.[1]);
  if (number && otherNumber && isClose(Number(number), Number(otherNumber))) return otherNumber + seen.slice(16);
  if (!seen.startsWith("\x11V")) return seen;
  const moments = expected.slice(0, HEADER_LENGTH).match(MOMENT) ?? [];
  const head = seen.slice(0, HEADER_LENGTH).replace(MOMENT, (digits) => {
    const other = moments.shift();
    return other !== undefined && isClose(Number(digits), Number(other)) ? other : digits;
  });
  // A payload may be what was stored before.
  return head + String(like(seen.slice(HEADER_LENGTH), expected.slice(HEADER_LENGTH)));
}

const MOMENT = /\d{15}/g;

/** Moments are milliseconds, and fencing numbers of locks microseconds. */
function isClose(one: number, other: number): boolean {
  const apart = one > 1e15 ? 5_000_000 : 5_000;
  return one > 10_000 && other > 10_000 && Math.abs(one - other) < apart;
}
