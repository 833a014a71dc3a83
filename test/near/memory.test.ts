import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import type { Flood, Taken } from "./memory-process.js";

const MAX_SIZE = 8_388_608;
/** What else grows in a process meanwhile. */
const OTHER = 1_048_576;
/** About 15 MB of messages. */
const CHANGES = 300_000;
const program = fileURLToPath(new URL("memory-process.ts", import.meta.url));

let server: ValkeyServer;

beforeAll(async () => {
  await build();
  server = await startValkey();
}, 120_000);

afterAll(async () => {
  await server.stop();
});

async function flood(given: Omit<Flood, "keyPrefix" | "maxSize">): Promise<Taken> {
  const orders: Flood = { ...given, keyPrefix: randomUUID(), maxSize: MAX_SIZE };
  const child = fork(program, [server.url, JSON.stringify(orders)], { execArgv: ["--expose-gc"] });
  const [taken] = (await once(child, "message")) as [Taken];
  await once(child, "exit");
  return taken;
}

describe("a flood of distinct keys", () => {
  it.each([
    { values: "copy", isBinary: false, valueSize: 100, keySize: 30 },
    { values: "copy", isBinary: false, valueSize: 20_000, keySize: 400 },
    { values: "copy", isBinary: true, valueSize: 100, keySize: 30 },
    { values: "shared", isBinary: false, valueSize: 100, keySize: 30 },
    { values: "shared", isBinary: false, valueSize: 20_000, keySize: 30 },
    { values: "shared", isBinary: true, valueSize: 1_000, keySize: 30 },
  ] as const)(
    "takes no more memory than maxSize: $values, binary $isBinary, values of $valueSize B",
    async (one) => {
      const count = Math.ceil((1.5 * MAX_SIZE) / (one.valueSize + one.keySize + 200));
      const taken = await flood({ ...one, count });
      expect(taken.size).toBeGreaterThan(0.8 * MAX_SIZE);
      expect(taken.size).toBeLessThanOrEqual(MAX_SIZE);
      expect(taken.bytes).toBeLessThanOrEqual(MAX_SIZE + OTHER);
    },
    60_000,
  );
});

it("a flood of changes takes no more memory than is read at a time", async () => {
  const one = { values: "copy", isBinary: false, valueSize: 1_000, keySize: 30, count: 5_000 } as const;
  const taken = await flood({ ...one, changes: CHANGES });
  expect(taken.size).toBeGreaterThan(0);
  expect(taken.most).toBeLessThanOrEqual(taken.bytes + OTHER);
}, 60_000);
