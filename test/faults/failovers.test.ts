import { describe, expect, it } from "vitest";
import * as failovers from "./failovers.js";
import { survive } from "./survive.js";

describe("calls fail with timeouts only in a cluster under", () => {
  it(failovers.clusterHalfOpen.name, async () => {
    const { load } = await survive(failovers.clusterHalfOpen, { recoveryMs: 5_000 });
    for (const { error } of load.failures) expect(error).toMatch(/^TimeoutError: /);
  }, 30_000);
});

describe("a cache recovers by itself from", () => {
  it.each([failovers.sentinelCrash, failovers.sentinelCrashWithReplicas, failovers.clusterCrash, failovers.demoted])(
    "$name",
    async (fault) => {
      const { load } = await survive(fault);
      for (const { error } of load.failures) expect(error).toMatch(/^(ConnectionError|TimeoutError|ReplyError): /);
    },
    30_000,
  );

  it.each([failovers.sentinelPlanned, failovers.slotsMove])(
    "$name, without a failing call",
    async (fault) => {
      const { load } = await survive(fault);
      expect(load.failures.map(({ error }) => error)).toEqual([]);
    },
    30_000,
  );
});
