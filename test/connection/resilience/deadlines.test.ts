import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Connection, Reply } from "../../../src/core/connection.js";
import { ConnectionError, TimeoutError } from "../../../src/core/errors.js";
import { deferred } from "../../support/deferred.js";
import { fakeConnection, hang } from "../fake-connection.js";
import { IDEMPOTENT, lazy, PING, settledAfter } from "./lazy.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a lazy connection", () => {
  it("rejects unanswered commands, scripts and scans after commandTimeout, and names that option", async () => {
    const scan = (): AsyncIterable<string[]> => ({ [Symbol.asyncIterator]: () => ({ next: () => hang() }) });
    const connection = lazy(async () => fakeConnection({ send: () => hang(), script: () => hang(), scan }));
    const waits = [
      connection.send(PING),
      connection.script({ name: "s", lua: "", twin: () => 1 }, [], []),
      connection.scan({ match: "*", count: 1 })[Symbol.asyncIterator]().next(),
    ];
    const ends = await Promise.all(waits.map((wait) => settledAfter(510, wait as Promise<unknown>)));
    for (const end of ends) {
      expect(end).toMatchObject({ reason: expect.any(TimeoutError) });
      expect(end).toMatchObject({
        reason: { message: expect.stringMatching(/valkey:\/\/test.*500 ms.*commandTimeout/) },
      });
    }
  });

  it("marks the waiter of a script as settled after the deadline", async () => {
    const script = vi.fn<Connection["script"]>(() => hang());
    const run = lazy(async () => fakeConnection({ script })).script({ name: "s", lua: "", twin: () => 1 }, [], []);
    await settledAfter(490, run);
    const waiter = script.mock.calls[0]?.[3]?.waiter;
    expect(waiter?.isSettled).toBe(false);
    await settledAfter(20, run);
    expect(waiter?.isSettled).toBe(true);
  });

  it("rejects a scan after commandTimeout even if the transport's scan never ends", async () => {
    const connection = lazy(async () =>
      fakeConnection({
        async *scan() {
          yield ["a"];
          await hang();
        },
      }),
    );
    const received: string[][] = [];
    const walk = (async () => {
      for await (const batch of connection.scan({ match: "*", count: 1 })) received.push(batch);
    })();
    expect(await settledAfter(1_000, walk)).toMatchObject({ reason: expect.any(TimeoutError) });
    expect(received).toEqual([["a"]]);
  });

  it("accepts a shorter deadline for one round trip, but not a longer one", async () => {
    const connection = lazy(async () => fakeConnection({ send: () => hang() }));
    expect(await settledAfter(60, connection.send(PING, { timeoutMs: 50 }))).toMatchObject({ status: "rejected" });
    expect(await settledAfter(510, connection.send(PING, { timeoutMs: 5_000 }))).toMatchObject({ status: "rejected" });
  });
});

describe("a connection that stops answering", () => {
  it("is replaced after two timeouts in a row", async () => {
    const dead = fakeConnection({ send: () => hang() });
    const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(dead);
    const connection = lazy(dial);
    await settledAfter(510, connection.send(PING));
    expect(dead.close).not.toHaveBeenCalled();
    await settledAfter(510, connection.send(PING));
    expect(dead.close).toHaveBeenCalledTimes(1);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial).toHaveBeenCalledTimes(2);
  });

  it("is replaced after one timeout if it was silent long before, as after a freeze", async () => {
    const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]);
    const dead = fakeConnection({ send });
    const connection = lazy(vi.fn(async () => fakeConnection()).mockResolvedValueOnce(dead));
    await connection.send(PING);
    await vi.advanceTimersByTimeAsync(5_000);
    send.mockReturnValueOnce(hang());
    await settledAfter(510, connection.send(PING));
    expect(dead.close).toHaveBeenCalledTimes(1);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("retries only reads when it is abandoned, as a write may still run later", async () => {
    const failures: ((error: Error) => void)[] = [];
    const send = () => new Promise<Reply[]>((_resolve, reject) => failures.push(reject));
    // Commands in progress fail when a connection is closed.
    const dead = fakeConnection({
      send,
      close: async () => {
        for (const fail of failures) fail(new ConnectionError("closed"));
      },
    });
    const connection = lazy(vi.fn(async () => fakeConnection()).mockResolvedValueOnce(dead));
    const early = [connection.send(PING), connection.send(PING)];
    const rejected = Promise.all(early.map((roundTrip) => expect(roundTrip).rejects.toThrow(TimeoutError)));
    await vi.advanceTimersByTimeAsync(400);
    const write = expect(connection.send(PING, IDEMPOTENT)).rejects.toThrow("closed");
    const read = connection.send(PING, { readOnly: true });
    await vi.advanceTimersByTimeAsync(110);
    await rejected;
    await write;
    expect(await read).toEqual(["PONG"]);
  });

  it("is kept if it answers between timeouts", async () => {
    const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]);
    const dial = vi.fn(async () => fakeConnection({ send }));
    const connection = lazy(dial);
    for (let i = 0; i < 3; i++) {
      send.mockReturnValueOnce(hang());
      await settledAfter(510, connection.send(PING));
      await connection.send(PING);
    }
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("counts a timed-out round trip once, although the transport reports it later as well", async () => {
    const late = deferred<Reply[]>();
    const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]).mockReturnValueOnce(late.promise);
    const dial = vi.fn(async () => fakeConnection({ send }));
    const connection = lazy(dial);
    await settledAfter(510, connection.send(PING));
    late.reject(new TimeoutError("late"));
    await vi.advanceTimersByTimeAsync(0);
    await connection.send(PING);
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("does not retry a timed-out command when the transport rejects it later", async () => {
    const end = deferred<Reply[]>();
    const dead = fakeConnection({ send: () => end.promise });
    const fresh = fakeConnection();
    const connection = lazy(vi.fn(async () => fresh).mockResolvedValueOnce(dead));
    await settledAfter(510, connection.send(PING, IDEMPOTENT));
    end.reject(new ConnectionError("lost at last"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(fresh.send).not.toHaveBeenCalled();
  });
});
