import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/core/time.js";
import { ALONE_MS, Interest } from "../../src/http/interest.js";

/** Time that passes when a test says so. */
function heldTime(): Clock & { pass: (ms: number) => Promise<void> } {
  const sleepers: { ms: number; resolve: () => void }[] = [];
  return {
    ...systemClock,
    sleep: (ms) => new Promise((resolve) => sleepers.push({ ms, resolve })),
    pass: async (ms) => {
      for (const sleeper of sleepers) if (sleeper.ms <= ms) sleeper.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function given() {
  const client = new AbortController();
  const clock = heldTime();
  return { client, clock, interest: new Interest(client.signal, clock) };
}

describe("the signal of a handler whose response may be stored", () => {
  it("stays silent when the client leaves, for a while", async () => {
    const { client, clock, interest } = given();
    client.abort();
    await clock.pass(ALONE_MS - 1);
    expect(interest.signal.aborted).toBe(false);
    await clock.pass(ALONE_MS);
    expect(interest.signal.aborted).toBe(true);
  });

  it("stays silent for good when the response is complete", async () => {
    const { client, clock, interest } = given();
    client.abort();
    interest.complete();
    await clock.pass(ALONE_MS);
    expect(interest.signal.aborted).toBe(false);
  });

  it("fires with the client once nothing is stored, at once where that has left already", () => {
    const early = given();
    early.interest.leaveToClient();
    expect(early.interest.signal.aborted).toBe(false);
    early.client.abort("gone");
    expect(early.interest.signal.reason).toBe("gone");
    const late = given();
    late.client.abort("gone");
    late.interest.leaveToClient();
    expect(late.interest.signal.aborted).toBe(true);
  });

  it("needs no client", async () => {
    const interest = new Interest(undefined, heldTime());
    interest.leaveToClient();
    expect(interest.signal.aborted).toBe(false);
    interest.end();
    expect(interest.signal.aborted).toBe(true);
  });
});
