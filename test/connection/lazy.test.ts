import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LazyConnection, type LazyOptions } from "../../src/connection/lazy.js";
import { systemClock } from "../../src/core/clock.js";
import type { Connection, Reply } from "../../src/core/connection.js";
import { ConfigurationError, ConnectionError, ReplyError, TimeoutError } from "../../src/core/errors.js";
import { deferred } from "../support/deferred.js";
import { fakeConnection, hang } from "./fake-connection.js";

const PING = [["PING"]] as const;
const IDEMPOTENT = { idempotent: true };
const refused = () => new ConnectionError("refused");

function lazy(dial: () => Promise<Connection>, options: Partial<LazyOptions> = {}): LazyConnection {
  return new LazyConnection(dial, {
    name: "valkey://test",
    connectTimeoutMs: 1_000,
    commandTimeoutMs: 500,
    maxIdleMs: 60_000,
    redial: true,
    clock: systemClock,
    ...options,
  });
}

/** What a promise settled to, once time has moved on by `ms`. */
async function settledAfter<T>(ms: number, promise: Promise<T>): Promise<PromiseSettledResult<T> | "pending"> {
  let settled: PromiseSettledResult<T> | "pending" = "pending";
  promise.then(
    (value) => (settled = { status: "fulfilled", value }),
    (reason) => (settled = { status: "rejected", reason }),
  );
  await vi.advanceTimersByTimeAsync(ms);
  return settled;
}

describe("a lazy connection", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("dials with the first command, not before, and once", async () => {
    const dial = vi.fn(async () => fakeConnection());
    const connection = lazy(dial);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(dial).not.toHaveBeenCalled();
    expect(await connection.send(PING)).toEqual(["PONG"]);
    await connection.script({ name: "s", lua: "", twin: () => 1 }, [], []);
    for await (const _ of connection.scan({ match: "*", count: 1 })) expect.unreachable();
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("answers no commands without dialling", async () => {
    const dial = vi.fn(async () => fakeConnection());
    expect(await lazy(dial).send([])).toEqual([]);
    expect(dial).not.toHaveBeenCalled();
  });

  it("shares one dial among all first commands", async () => {
    const opened = deferred<Connection>();
    const dial = vi.fn(() => opened.promise);
    const connection = lazy(dial);
    const sent = Promise.all(Array.from({ length: 50 }, () => connection.send(PING)));
    opened.resolve(fakeConnection());
    expect(await sent).toHaveLength(50);
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("dials again after a failed dial, once the back-off is over, and fails at once until then", async () => {
    const dial = vi.fn(async () => fakeConnection()).mockRejectedValueOnce(refused());
    const connection = lazy(dial);
    await expect(connection.send(PING)).rejects.toThrow("refused");
    await vi.advanceTimersByTimeAsync(50);
    await expect(connection.send(PING)).rejects.toThrow(ConnectionError);
    expect(dial).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(51);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial).toHaveBeenCalledTimes(2);
  });

  it("lets all who wait hear of a failed dial", async () => {
    const connection = lazy(() => Promise.reject(refused()));
    const sent = await Promise.allSettled(Array.from({ length: 10 }, () => connection.send(PING)));
    expect(sent.map(({ status }) => status)).toEqual(Array(10).fill("rejected"));
  });

  it("does not remember a failure longer because the clock was set back", async () => {
    const dial = vi.fn(async () => fakeConnection()).mockRejectedValueOnce(refused());
    const connection = lazy(dial);
    await expect(connection.send(PING)).rejects.toThrow();
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(await connection.send(PING)).toEqual(["PONG"]);
  });

  it("does not hide what is no connection's fault", async () => {
    const broken = new ConfigurationError("can't be loaded");
    await expect(lazy(() => Promise.reject(broken)).send(PING)).rejects.toBe(broken);
  });

  it("gives up a dial after connectTimeout, and closes what comes of it later", async () => {
    const opened = deferred<Connection>();
    const connection = lazy(() => opened.promise);
    const sent = connection.send(PING);
    expect(await settledAfter(999, sent)).toBe("pending");
    expect(await settledAfter(10, sent)).toMatchObject({ reason: expect.any(TimeoutError) });
    const late = fakeConnection();
    opened.resolve(late);
    await vi.advanceTimersByTimeAsync(0);
    expect(late.close).toHaveBeenCalledTimes(1);
  });

  it("ends a flight without answer after commandTimeout, naming it, and scripts and scans as well", async () => {
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

  it("ends a scan in time even if the transport's own never ends", async () => {
    const connection = lazy(async () =>
      fakeConnection({
        async *scan() {
          yield ["a"];
          await hang();
        },
      }),
    );
    const seen: string[][] = [];
    const walk = (async () => {
      for await (const batch of connection.scan({ match: "*", count: 1 })) seen.push(batch);
    })();
    expect(await settledAfter(1_000, walk)).toMatchObject({ reason: expect.any(TimeoutError) });
    expect(seen).toEqual([["a"]]);
  });

  it("takes a shorter deadline for one flight, not a longer one", async () => {
    const connection = lazy(async () => fakeConnection({ send: () => hang() }));
    expect(await settledAfter(60, connection.send(PING, { timeoutMs: 50 }))).toMatchObject({ status: "rejected" });
    expect(await settledAfter(510, connection.send(PING, { timeoutMs: 5_000 }))).toMatchObject({ status: "rejected" });
  });

  it("passes on refusals, and keeps the connection", async () => {
    const refusal = new ReplyError("OOM", "no room");
    const dial = vi.fn(async () => fakeConnection({ script: () => Promise.reject(refusal) }));
    const connection = lazy(dial);
    for (let i = 0; i < 3; i++) {
      await expect(connection.script({ name: "s", lua: "", twin: () => 1 }, [], [])).rejects.toBe(refusal);
    }
    expect(dial).toHaveBeenCalledTimes(1);
  });

  describe("that is lost", () => {
    const lost = () => new ConnectionError("lost");

    it("repeats an idempotent flight once over a new one", async () => {
      const first = fakeConnection({ send: vi.fn(() => Promise.reject(lost())) });
      const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(first);
      const connection = lazy(dial);
      expect(await connection.send(PING, IDEMPOTENT)).toEqual(["PONG"]);
      expect(dial).toHaveBeenCalledTimes(2);
      expect(first.send).toHaveBeenCalledTimes(1);
      expect(first.close).toHaveBeenCalledTimes(1);
    });

    it("repeats it no more than once", async () => {
      const send = vi.fn(() => Promise.reject(lost()));
      await expect(lazy(async () => fakeConnection({ send })).send(PING, IDEMPOTENT)).rejects.toThrow("lost");
      expect(send).toHaveBeenCalledTimes(2);
    });

    it("does not repeat what may have been carried out, and dials for the next one", async () => {
      const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]).mockRejectedValueOnce(lost());
      const dial = vi.fn(async () => fakeConnection({ send }));
      const connection = lazy(dial);
      await expect(connection.send(PING)).rejects.toThrow("lost");
      expect(send).toHaveBeenCalledTimes(1);
      expect(await connection.send(PING)).toEqual(["PONG"]);
      expect(dial).toHaveBeenCalledTimes(2);
    });

    it("is left to mend itself where its transport does that", async () => {
      const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]).mockRejectedValueOnce(lost());
      const dial = vi.fn(async () => fakeConnection({ send }));
      const connection = lazy(dial, { redial: false });
      expect(await connection.send(PING, IDEMPOTENT)).toEqual(["PONG"]);
      expect(dial).toHaveBeenCalledTimes(1);
    });
  });

  describe("that answers no more", () => {
    it("is replaced after two flights in a row without answer", async () => {
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

    it("is kept when it answers in between", async () => {
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

    it("counts a flight once, although the transport reports it late, too", async () => {
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

    it("is not sent again what was given up, when it ends at last", async () => {
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

  it("is opened anew after maxIdle without a reply, before the next command", async () => {
    const [old, fresh] = [fakeConnection(), fakeConnection()];
    const dial = vi.fn(async () => fresh).mockResolvedValueOnce(old);
    const connection = lazy(dial, { maxIdleMs: 60_000 });
    await connection.send(PING);
    await vi.advanceTimersByTimeAsync(59_000);
    await connection.send(PING);
    await vi.advanceTimersByTimeAsync(61_000);
    await connection.send(PING);
    expect(dial).toHaveBeenCalledTimes(2);
    expect(old.close).toHaveBeenCalledTimes(1);
    expect(fresh.send).toHaveBeenCalledTimes(1);
  });

  it("stays for ever when maxIdle says so", async () => {
    const dial = vi.fn(async () => fakeConnection());
    const connection = lazy(dial, { maxIdleMs: Number.POSITIVE_INFINITY });
    await connection.send(PING);
    await vi.advanceTimersByTimeAsync(86_400_000);
    await connection.send(PING);
    expect(dial).toHaveBeenCalledTimes(1);
  });

  describe("once closed", () => {
    it("closes what it opened, once, and refuses commands", async () => {
      const opened = fakeConnection();
      const dial = vi.fn(async () => opened);
      const connection = lazy(dial);
      await connection.send(PING);
      await Promise.all([connection.close(), connection.close(), connection[Symbol.asyncDispose]()]);
      expect(opened.close).toHaveBeenCalledTimes(1);
      await expect(connection.send(PING)).rejects.toThrow(/closed/);
      await expect(connection.send(PING, IDEMPOTENT)).rejects.toThrow(ConnectionError);
      await expect(connection.scan({ match: "*", count: 1 })[Symbol.asyncIterator]().next()).rejects.toThrow(/closed/);
      expect(dial).toHaveBeenCalledTimes(1);
    });

    it("closes what a dial under way opens later", async () => {
      const opened = deferred<Connection>();
      const connection = lazy(() => opened.promise);
      const sent = connection.send(PING);
      const closed = connection.close();
      const late = fakeConnection();
      opened.resolve(late);
      await expect(sent).rejects.toThrow(/closed/);
      await closed;
      expect(late.close).toHaveBeenCalledTimes(1);
    });

    it("never dialled has nothing to close", async () => {
      const dial = vi.fn(async () => fakeConnection());
      await lazy(dial).close();
      expect(dial).not.toHaveBeenCalled();
    });
  });
});
