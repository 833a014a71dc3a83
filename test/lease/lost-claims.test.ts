import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memory } from "../../src/api/memory.js";
import { type Connection, PROCESS, type Script } from "../../src/core/connection.js";
import { ConnectionError } from "../../src/core/errors.js";
import { parseLocation } from "../../src/core/location.js";
import { type Clock, systemClock } from "../../src/core/time.js";
import { httpCache } from "../../src/hono/index.js";
import { type Cache, createCache, herd, iovalkey } from "../../src/index.js";
import { newToken } from "../../src/lease/lease.js";
import { withdrawLost } from "../../src/lease/lost-claims.js";
import { claimCommand } from "../../src/lease/read-or-claim.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const LEASE_MS = 60_000;

function lost(): ConnectionError {
  const error = new ConnectionError("the reply was lost");
  error.mayHaveRun = true;
  return error;
}

/** A store in memory, and the scripts that it was sent. Pauses take no time. */
function open(script?: (original: Connection["script"], run: Script) => ReturnType<Connection["script"]> | undefined) {
  const connection = memory().connect(parseLocation("memory:"), PROCESS);
  const sent: string[] = [];
  const original = connection.script.bind(connection);
  connection.script = (run, ...rest) => {
    sent.push(run.name);
    return script?.(original, run) ?? original(run, ...rest);
  };
  const clock: Clock = { ...systemClock, sleep: () => new Promise((resolve) => setImmediate(resolve)) };
  const ends: Promise<void>[] = [];
  const context = { connection, clock, graceMs: 0, waitUntil: (work: Promise<void>) => void ends.push(work) };
  return { connection, context, sent, ended: () => Promise.all(ends) };
}

const exists = async (connection: Connection, key: string): Promise<boolean> =>
  (await connection.send([["EXISTS", key]]))[0] === 1;

describe("a claim whose reply was lost", () => {
  it("is withdrawn where the server has carried it out", async () => {
    const { connection, context, sent, ended } = open();
    const token = newToken();
    await connection.send([claimCommand("a", token, LEASE_MS, Date.now())]);
    withdrawLost(context, [{ key: "a", token }], lost());
    await ended();
    expect(await exists(connection, "a")).toBe(false);
    expect(sent).toHaveLength(1);
  });

  it("is withdrawn once more where the server carries it out after the first withdrawal", async () => {
    const token = newToken();
    let tries = 0;
    const { connection, context, ended } = open(() => {
      // The claim arrives over a connection of its own.
      if (tries++ === 0) void connection.send([claimCommand("a", token, LEASE_MS, Date.now())]);
      return tries === 1 ? Promise.resolve(0) : undefined;
    });
    withdrawLost(context, [{ key: "a", token }], lost());
    await ended();
    expect(await exists(connection, "a")).toBe(false);
  });

  it("is withdrawn when the server answers again", async () => {
    let failures = 5;
    const { connection, context, ended } = open(() => (failures-- > 0 ? Promise.reject(lost()) : undefined));
    const token = newToken();
    await connection.send([claimCommand("a", token, LEASE_MS, Date.now())]);
    withdrawLost(context, [{ key: "a", token }], lost());
    await ended();
    expect(await exists(connection, "a")).toBe(false);
  });

  it("leaves another caller's lease and values alone", async () => {
    const { connection, context, ended } = open();
    await connection.send([claimCommand("a", newToken(), LEASE_MS, Date.now()), ["SET", "b", "value"]]);
    withdrawLost(
      context,
      ["a", "b"].map((key) => ({ key, token: newToken() })),
      lost(),
    );
    await ended();
    expect([await exists(connection, "a"), await exists(connection, "b")]).toEqual([true, true]);
  });

  it("is not looked for where the command was not sent, or was refused", () => {
    const { context, sent, ended } = open();
    for (const error of [new ConnectionError("refused"), new Error("other")]) {
      withdrawLost(context, [{ key: "a", token: newToken() }], error);
    }
    expect(sent).toEqual([]);
    return ended();
  });

  it("is given up when the connection is closed", async () => {
    const { connection, context, ended } = open(() => Promise.reject(lost()));
    withdrawLost(context, [{ key: "a", token: newToken() }], lost());
    connection.status = () => {
      throw new ConnectionError("closed");
    };
    await ended();
  });
});

describe("while a server was stopped (SIGSTOP), claims of a process that gave up", () => {
  let server: ValkeyServer;
  let first: Cache;
  let second: Cache;

  beforeAll(async () => {
    server = await startValkey();
    const options = {
      location: server.url,
      keyPrefix: randomUUID(),
      client: herd({ lease: "1m", waitTimeout: "1m" }),
    } as const;
    first = createCache({ ...options, commandTimeout: "250ms" });
    second = createCache({ ...options, connectionFactory: iovalkey({ commandTimeout: "250ms" }) });
    await Promise.all([first.set("warm", 1), second.set("warm", 1)]);
  });

  afterAll(async () => {
    await first.close();
    await second.close();
    await server.stop();
  });

  /** Runs `work` while the server hangs, so that its commands get no reply in time and run later. */
  async function whileStopped(work: () => Promise<unknown>): Promise<void> {
    await server.kill("SIGSTOP");
    try {
      await work();
    } finally {
      await server.kill("SIGCONT");
    }
  }

  it("make no caller of getOrSet wait for their leases", async () => {
    const keys = Array.from({ length: 20 }, () => randomUUID());
    await whileStopped(async () => {
      const values = await Promise.all(keys.map((key) => first.getOrSet(key, () => "alone")));
      expect(new Set(values)).toEqual(new Set(["alone"]));
    });
    const load = async (cache: Cache) => Promise.all(keys.map((key) => cache.getOrSet(key, () => "loaded")));
    const values = await until(() => Promise.all([load(first), load(second)]), {
      what: "all loads",
      timeoutMs: 10_000,
    });
    expect(new Set(values.flat())).toEqual(new Set(["loaded"]));
  });

  it("make no client of the HTTP cache wait for their leases", async () => {
    let runs = 0;
    const apps = [first, second].map((cache) => {
      const app = new Hono().use(httpCache({ cache, lease: "1m", waitTimeout: "1m" }));
      return app.get("*", (c) => c.text(`page ${++runs}`, 200, { "cache-control": "max-age=60" }));
    });
    const paths = Array.from({ length: 10 }, () => `/${randomUUID()}`);
    const ask = (app: Hono) => Promise.all(paths.map(async (path) => (await app.request(path)).text()));
    await whileStopped(() => ask(apps[0] as Hono));
    expect(runs).toBe(10);
    await Promise.all(apps.map((app) => ask(app as Hono)));
    expect(runs).toBeLessThanOrEqual(20);
  });
});
