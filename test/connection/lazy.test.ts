import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DialerOptions } from "../../src/connection/resilience/dialer.js";
import { LazyConnection } from "../../src/connection/resilience/lazy-connection.js";
import type { Connection, Reply } from "../../src/core/connection.js";
import { ConfigurationError, ConnectionError, ReplyError, TimeoutError } from "../../src/core/errors.js";
import { systemClock } from "../../src/core/time.js";
import { deferred } from "../support/deferred.js";
import { fakeConnection, hang } from "./fake-connection.js";

const PING = [["PING"]] as const;
const IDEMPOTENT = { idempotent: true };
const refused = () => new ConnectionError("refused");

function lazy(dial: () => Promise<Connection>, options: Partial<DialerOptions> = {}): LazyConnection {
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

  it("tells the transport when nobody waits for a script any more", async () => {
    const script = vi.fn<Connection["script"]>(() => hang());
    const run = lazy(async () => fakeConnection({ script })).script({ name: "s", lua: "", twin: () => 1 }, [], []);
    await settledAfter(490, run);
    const waiter = script.mock.calls[0]?.[3]?.waiter;
    expect(waiter?.isSettled).toBe(false);
    await settledAfter(20, run);
    expect(waiter?.isSettled).toBe(true);
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

    it.each([IDEMPOTENT, { readOnly: true }])("repeats once over a new one what is %j", async (options) => {
      const first = fakeConnection({ send: vi.fn(() => Promise.reject(lost())) });
      const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(first);
      const connection = lazy(dial);
      expect(await connection.send(PING, options)).toEqual(["PONG"]);
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

    it("is not closed before it has answered all that it was handed, which it may carry out yet", async () => {
      const slow = deferred<Reply[]>();
      const send = vi.fn(() => slow.promise).mockRejectedValueOnce(lost());
      const first = fakeConnection({ send });
      const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(first);
      const connection = lazy(dial);
      const flights = [connection.send(PING), connection.send(PING)];
      await expect(flights[0]).rejects.toThrow("lost");
      expect(await connection.send(PING)).toEqual(["PONG"]);
      expect(dial).toHaveBeenCalledTimes(2);
      expect(first.close).not.toHaveBeenCalled();
      slow.resolve(["late"]);
      expect(await flights[1]).toEqual(["late"]);
      expect(first.close).toHaveBeenCalledTimes(1);
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

    it("is replaced after one, when it was silent for long before that, as after a freeze", async () => {
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

    it("repeats what was under way there when that only reads: a write may be carried out yet, too late", async () => {
      const failures: ((error: Error) => void)[] = [];
      const send = () => new Promise<Reply[]>((_resolve, reject) => failures.push(reject));
      // What was under way fails when a connection is closed.
      const dead = fakeConnection({
        send,
        close: async () => {
          for (const fail of failures) fail(new ConnectionError("closed"));
        },
      });
      const connection = lazy(vi.fn(async () => fakeConnection()).mockResolvedValueOnce(dead));
      const early = [connection.send(PING), connection.send(PING)];
      const rejected = Promise.all(early.map((flight) => expect(flight).rejects.toThrow(TimeoutError)));
      await vi.advanceTimersByTimeAsync(400);
      const write = expect(connection.send(PING, IDEMPOTENT)).rejects.toThrow("closed");
      const read = connection.send(PING, { readOnly: true });
      await vi.advanceTimersByTimeAsync(110);
      await rejected;
      await write;
      expect(await read).toEqual(["PONG"]);
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

  describe("when it is closed", () => {
    it("waits for what goes on after a dial that failed", async () => {
      const ended = deferred<void>();
      const connection = new LazyConnection(
        async (until) => {
          until(ended.promise);
          throw refused();
        },
        {
          name: "a",
          connectTimeoutMs: 1_000,
          commandTimeoutMs: 500,
          maxIdleMs: 60_000,
          redial: true,
          clock: systemClock,
        },
      );
      await expect(connection.send(PING)).rejects.toThrow("refused");
      const closed = connection.close();
      expect(await settledAfter(500, closed)).toBe("pending");
      ended.resolve();
      await closed;
    });

    it("waits for connections that were given up, but no longer than their deadlines", async () => {
      const connection = lazy(async () => fakeConnection({ send: hang, close: hang }));
      await settledAfter(2_000, Promise.allSettled([connection.send(PING), connection.send(PING)]));
      const closed = connection.close();
      expect(await settledAfter(1_400, closed)).toBe("pending");
      expect(await settledAfter(200, closed)).toMatchObject({ status: "fulfilled" });
    });
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

  describe("that fails again and again", () => {
    it("fails at once, with the last error as the cause, and dials once per window", async () => {
      const dial = vi.fn(() => Promise.reject(refused()));
      const connection = lazy(dial);
      await expect(connection.send(PING)).rejects.toThrow("refused");
      const started = performance.now();
      for (let i = 0; i < 1_000; i++) {
        await expect(connection.send(PING)).rejects.toMatchObject({
          name: "ConnectionError",
          cause: { message: "refused" },
        });
      }
      expect(performance.now() - started).toBe(0);
      expect(dial).toHaveBeenCalledTimes(1);
      expect(connection.status()).toMatchObject({ state: "open", lastError: { message: "refused" } });
    });

    it("lets one of many calls dial, and the others fail at once, until it succeeds", async () => {
      const opened = deferred<Connection>();
      const dial = vi.fn(() => opened.promise).mockRejectedValueOnce(refused());
      const connection = lazy(dial);
      await expect(connection.send(PING)).rejects.toThrow();
      await vi.advanceTimersByTimeAsync(100);
      const probe = connection.send(PING);
      const others = await Promise.allSettled(Array.from({ length: 50 }, () => connection.send(PING)));
      expect(others.every(({ status }) => status === "rejected")).toBe(true);
      expect(connection.status().state).toBe("half-open");
      opened.resolve(fakeConnection());
      expect(await probe).toEqual(["PONG"]);
      expect(connection.status()).toEqual({ state: "closed", lastError: undefined });
      expect(await connection.send(PING)).toEqual(["PONG"]);
      expect(dial).toHaveBeenCalledTimes(2);
    });

    it("is dialled again by a call after a second, however long it was gone", async () => {
      const dial = vi.fn(async (): Promise<Connection> => fakeConnection());
      for (let i = 0; i < 20; i++) dial.mockRejectedValueOnce(refused());
      const connection = lazy(dial);
      while (dial.mock.calls.length < 20) {
        await connection.send(PING).catch(() => {});
        await vi.advanceTimersByTimeAsync(10);
      }
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await connection.send(PING)).toEqual(["PONG"]);
    });

    it("is not given up for what the server refuses, nor for what no server is to blame for", async () => {
      const refusal = () => Promise.reject(new ReplyError("OOM", "no room"));
      const connection = lazy(async () => fakeConnection({ script: refusal }));
      for (let i = 0; i < 10; i++) {
        await expect(connection.script({ name: "s", lua: "", twin: () => 1 }, [], [])).rejects.toThrow("OOM");
      }
      const broken = lazy(() => Promise.reject(new ConfigurationError("can't be loaded")));
      for (let i = 0; i < 10; i++) await expect(broken.send(PING)).rejects.toThrow("can't be loaded");
      expect(connection.status().state).toBe("closed");
    });

    it("fails at once after three flights in a row without answer, although dialling works", async () => {
      const connection = lazy(async () => fakeConnection({ send: () => hang() }));
      for (let i = 0; i < 3; i++) await settledAfter(510, connection.send(PING));
      expect(await settledAfter(0, connection.send(PING))).toMatchObject({ status: "rejected" });
    });

    it("is one whose transport mends itself replaced only then", async () => {
      const hung = fakeConnection({ send: () => hang() });
      const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(hung);
      const connection = lazy(dial, { redial: false });
      for (let i = 0; i < 3; i++) {
        expect(hung.close).not.toHaveBeenCalled();
        await settledAfter(510, connection.send(PING));
      }
      expect(hung.close).toHaveBeenCalledTimes(1);
      await vi.advanceTimersByTimeAsync(100);
      expect(await connection.send(PING)).toEqual(["PONG"]);
    });

    it("is one of which a part is dead, and others answer, replaced after some seconds", async () => {
      const part = fakeConnection({
        send: vi.fn(async (commands) => (commands[0]?.[0] === "DEAD" ? await hang<Reply[]>() : ["PONG"])),
      });
      const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(part);
      const connection = lazy(dial, { redial: false });
      const startedMs = Date.now();
      while (dial.mock.calls.length < 2) {
        await settledAfter(510, connection.send([["DEAD"]]));
        expect(await connection.send(PING)).toEqual(["PONG"]);
        expect(Date.now() - startedMs).toBeLessThan(5_000);
      }
      expect(Date.now() - startedMs).toBeGreaterThan(3_000);
      expect(part.close).toHaveBeenCalledTimes(1);
    });

    it("keeps one that is slow now and then, while others answer", async () => {
      const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]);
      const dial = vi.fn(async () => fakeConnection({ send }));
      const connection = lazy(dial, { redial: false });
      for (let i = 0; i < 5; i++) {
        send.mockReturnValueOnce(hang());
        await settledAfter(510, connection.send(PING));
        await connection.send(PING);
        await vi.advanceTimersByTimeAsync(5_000);
      }
      expect(dial).toHaveBeenCalledTimes(1);
    });

    it("ends a call that dials again when commandTimeout is over", async () => {
      const dial = vi
        .fn(() => hang<Connection>())
        .mockResolvedValueOnce(fakeConnection({ send: vi.fn(() => Promise.reject(new ConnectionError("lost"))) }));
      const connection = lazy(dial, { connectTimeoutMs: 10_000 });
      const sent = connection.send(PING, IDEMPOTENT);
      expect(await settledAfter(499, sent)).toBe("pending");
      expect(await settledAfter(10, sent)).toMatchObject({ reason: expect.any(TimeoutError) });
    });
  });

  describe("to a server that takes no writes any more", () => {
    const readonly = () => new ReplyError("READONLY", "You can't write against a read only replica.");
    const demoted = () => fakeConnection({ send: vi.fn(async (commands) => commands.map(readonly)) });

    it("dials again, and repeats what was refused, whatever it is", async () => {
      const old = demoted();
      const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(old);
      const connection = lazy(dial);
      expect(await connection.send(PING)).toEqual([readonly()]);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await connection.send(PING)).toEqual(["PONG"]);
      expect(dial).toHaveBeenCalledTimes(2);
      expect(old.close).toHaveBeenCalledTimes(1);
    });

    it("does so for scripts", async () => {
      const old = fakeConnection({ script: () => Promise.reject(readonly()) });
      const connection = lazy(vi.fn(async () => fakeConnection()).mockResolvedValueOnce(old));
      await connection.send(PING);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await connection.script({ name: "s", lua: "", twin: () => 1 }, [], [])).toBe(1);
    });

    it("dials no more than once a second, and hands the refusal on", async () => {
      const dial = vi.fn(async () => demoted());
      const connection = lazy(dial);
      for (let i = 0; i < 100; i++) {
        expect(await connection.send(PING, IDEMPOTENT)).toEqual([readonly()]);
        await vi.advanceTimersByTimeAsync(20);
      }
      expect(dial.mock.calls.length).toBeLessThanOrEqual(3);
    });

    it("repeats no flight of several commands that may have been carried out in part", async () => {
      const half = fakeConnection({ send: vi.fn(async () => [1, readonly()]) });
      const fresh = fakeConnection();
      const connection = lazy(vi.fn(async () => fresh).mockResolvedValueOnce(half));
      await connection.send(PING);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await connection.send([["INCR", "a"], ["PING"]])).toEqual([1, readonly()]);
      expect(fresh.send).not.toHaveBeenCalled();
      expect(await connection.send(PING)).toEqual(["PONG"]);
    });
  });

  it("that is replaced ends what is under way where it began, and begins the rest anew", async () => {
    const answer = deferred<Reply[]>();
    const old = fakeConnection({ send: () => answer.promise });
    const fresh = fakeConnection();
    const connection = lazy(vi.fn(async () => fresh).mockResolvedValueOnce(old));
    const under = connection.send(PING);
    await vi.advanceTimersByTimeAsync(0);
    connection.replace();
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(old.close).not.toHaveBeenCalled();
    answer.resolve(["late PONG"]);
    expect(await under).toEqual(["late PONG"]);
    expect(old.close).toHaveBeenCalledTimes(1);
  });

  it("that is replaced while it is dialled is dialled anew for those who wait, and closed when it comes", async () => {
    const [slow, fresh] = [deferred<Connection>(), fakeConnection()];
    const dial = vi.fn(async () => fresh).mockReturnValueOnce(slow.promise as Promise<typeof fresh>);
    const connection = lazy(dial);
    const sent = connection.send(PING);
    connection.replace();
    expect(await sent).toEqual(["PONG"]);
    expect(fresh.send).toHaveBeenCalledTimes(1);
    const late = fakeConnection();
    slow.resolve(late);
    await vi.advanceTimersByTimeAsync(0);
    expect(late.close).toHaveBeenCalledTimes(1);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial).toHaveBeenCalledTimes(2);
  });

  it("begins a scan again over a new connection when the old one is lost", async () => {
    const old = fakeConnection({
      async *scan() {
        yield ["a"];
        throw new ConnectionError("lost");
      },
    });
    const fresh = fakeConnection({
      async *scan() {
        yield ["a"];
        yield ["b"];
      },
    });
    const connection = lazy(vi.fn(async () => fresh).mockResolvedValueOnce(old));
    const seen: string[] = [];
    for await (const batch of connection.scan({ match: "*", count: 1 })) seen.push(...batch);
    expect(seen).toEqual(["a", "a", "b"]);
  });

  it("keeps what is in use, although the clock says that it was silent for long", async () => {
    const answer = deferred<Reply[]>();
    const opened = fakeConnection({ send: vi.fn(async () => ["PONG"] as Reply[]) });
    const dial = vi.fn(async () => opened);
    const connection = lazy(dial);
    await connection.send(PING);
    vi.mocked(opened.send).mockReturnValueOnce(answer.promise);
    const under = connection.send(PING);
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    answer.resolve(["PONG"]);
    expect(await under).toEqual(["PONG"]);
    vi.setSystemTime(Date.now() - 7_200_000);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial.mock.calls.length).toBeLessThanOrEqual(2);
  });

  it("tells how it is", async () => {
    const connection = lazy(vi.fn(async () => fakeConnection()));
    expect(connection.status()).toEqual({ state: "idle", lastError: undefined });
    await connection.send(PING);
    expect(connection.status()).toEqual({ state: "closed", lastError: undefined });
    await connection.close();
    expect(() => connection.status()).toThrow(/closed/);
  });
});
