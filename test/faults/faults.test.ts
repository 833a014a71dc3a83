import { describe, expect, it } from "vitest";
import * as network from "./network-faults.js";
import * as server from "./server-faults.js";
import { survive } from "./survive.js";

describe("no call fails under", () => {
  it.each([network.slow, network.byteByByte, server.scriptsFlushed, server.clockSet])("$name", async (fault) => {
    const { load } = await survive(fault);
    expect(load.failures).toEqual([]);
  });

  it.each(["valkey-glide", "iovalkey"] as const)(
    "passwords and connections that end, over %s",
    // The times are those of the passwords; only figures are measured alone.
    { concurrent: !process.env.FAULT_FIGURES, timeout: 90_000 },
    async (transport) => {
      const { load } = await survive(server.changingPasswords(transport));
      expect(load.failures).toEqual([]);
    },
  );
});

describe("calls end in time, getOrSet returns a value, and the cache recovers by itself after", () => {
  it.each([
    network.halfOpen,
    network.blackout,
    network.resetInReply,
    network.refused,
    server.restarted,
    server.frozen,
    server.killedClients,
    server.paused,
    server.tooManyClients,
    server.manyPending,
    server.wrongPassword,
  ])("$name", async (fault) => {
    const { load } = await survive(fault);
    for (const { error } of load.failures) expect(error).toMatch(/^(Connection|Timeout)Error: /);
  });
});

describe("only refused commands fail under", () => {
  it.each([
    { fault: server.outOfMemory, methods: ["set", "incr"], code: "OOM" },
    { fault: server.forbiddenCommand, methods: ["incr"], code: "NOPERM" },
  ])("$fault.name", async ({ fault, methods, code }) => {
    const { load } = await survive(fault);
    expect(load.failures.length).toBeGreaterThan(0);
    for (const { step, error } of load.failures) {
      expect(methods).toContain(step);
      expect(error).toMatch(new RegExp(`^ReplyError: ${code} `));
    }
  });
});
