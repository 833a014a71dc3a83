import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Reply } from "../../../src/core/connection.js";
import { ConnectionError, ReplyError } from "../../../src/core/errors.js";
import { deferred } from "../../support/deferred.js";
import { fakeConnection } from "../fake-connection.js";
import { IDEMPOTENT, lazy, PING } from "./lazy.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a lost connection", () => {
  const lost = () => new ConnectionError("lost");

  it.each([IDEMPOTENT, { readOnly: true }])(
    "retries commands that are %j once over a new connection",
    async (options) => {
      const first = fakeConnection({ send: vi.fn(() => Promise.reject(lost())) });
      const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(first);
      const connection = lazy(dial);
      expect(await connection.send(PING, options)).toEqual(["PONG"]);
      expect(dial).toHaveBeenCalledTimes(2);
      expect(first.send).toHaveBeenCalledTimes(1);
      expect(first.close).toHaveBeenCalledTimes(1);
    },
  );

  it("retries no more than once", async () => {
    const send = vi.fn(() => Promise.reject(lost()));
    await expect(lazy(async () => fakeConnection({ send })).send(PING, IDEMPOTENT)).rejects.toThrow("lost");
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("does not retry other commands, as they may have run, and dials again for the next one", async () => {
    const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]).mockRejectedValueOnce(lost());
    const dial = vi.fn(async () => fakeConnection({ send }));
    const connection = lazy(dial);
    await expect(connection.send(PING)).rejects.toThrow("lost");
    expect(send).toHaveBeenCalledTimes(1);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial).toHaveBeenCalledTimes(2);
  });

  it("is not closed before its round trips in progress have ended", async () => {
    const slow = deferred<Reply[]>();
    const send = vi.fn(() => slow.promise).mockRejectedValueOnce(lost());
    const first = fakeConnection({ send });
    const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(first);
    const connection = lazy(dial);
    const roundTrips = [connection.send(PING), connection.send(PING)];
    await expect(roundTrips[0]).rejects.toThrow("lost");
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial).toHaveBeenCalledTimes(2);
    expect(first.close).not.toHaveBeenCalled();
    slow.resolve(["late"]);
    expect(await roundTrips[1]).toEqual(["late"]);
    expect(first.close).toHaveBeenCalledTimes(1);
  });

  it("is kept if its transport reconnects by itself", async () => {
    const send = vi.fn(async (): Promise<Reply[]> => ["PONG"]).mockRejectedValueOnce(lost());
    const dial = vi.fn(async () => fakeConnection({ send }));
    const connection = lazy(dial, { redial: false });
    expect(await connection.send(PING, IDEMPOTENT)).toEqual(["PONG"]);
    expect(dial).toHaveBeenCalledTimes(1);
  });
});

describe("a lazy connection", () => {
  it("passes on reply errors and keeps the connection", async () => {
    const refusal = new ReplyError("OOM", "no room");
    const dial = vi.fn(async () => fakeConnection({ script: () => Promise.reject(refusal) }));
    const connection = lazy(dial);
    for (let i = 0; i < 3; i++) {
      await expect(connection.script({ name: "s", lua: "", twin: () => 1 }, [], [])).rejects.toBe(refusal);
    }
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("a replaced connection ends its round trips in progress, and later commands use the new one", async () => {
    const answer = deferred<Reply[]>();
    const old = fakeConnection({ send: () => answer.promise });
    const fresh = fakeConnection();
    const connection = lazy(vi.fn(async () => fresh).mockResolvedValueOnce(old));
    const pending = connection.send(PING);
    await vi.advanceTimersByTimeAsync(0);
    connection.replace();
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(old.close).not.toHaveBeenCalled();
    answer.resolve(["late PONG"]);
    expect(await pending).toEqual(["late PONG"]);
    expect(old.close).toHaveBeenCalledTimes(1);
  });

  it("starts a scan again over a new connection when the old one is lost", async () => {
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
    const received: string[] = [];
    for await (const batch of connection.scan({ match: "*", count: 1 })) received.push(...batch);
    expect(received).toEqual(["a", "a", "b"]);
  });
});

describe("an idle connection", () => {
  it("is replaced before the next command after maxIdle without a reply", async () => {
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

  it("is never replaced for idleness without maxIdle", async () => {
    const dial = vi.fn(async () => fakeConnection());
    const connection = lazy(dial, { maxIdleMs: Number.POSITIVE_INFINITY });
    await connection.send(PING);
    await vi.advanceTimersByTimeAsync(86_400_000);
    await connection.send(PING);
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("keeps a connection in use although the clock says that it was silent for long", async () => {
    const answer = deferred<Reply[]>();
    const opened = fakeConnection({ send: vi.fn(async () => ["PONG"] as Reply[]) });
    const dial = vi.fn(async () => opened);
    const connection = lazy(dial);
    await connection.send(PING);
    vi.mocked(opened.send).mockReturnValueOnce(answer.promise);
    const pending = connection.send(PING);
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    answer.resolve(["PONG"]);
    expect(await pending).toEqual(["PONG"]);
    vi.setSystemTime(Date.now() - 7_200_000);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial.mock.calls.length).toBeLessThanOrEqual(2);
  });
});

describe("a server that refuses writes", () => {
  const readonly = () => new ReplyError("READONLY", "You can't write against a read only replica.");
  const readonlyReplica = () => fakeConnection({ send: vi.fn(async (commands) => commands.map(readonly)) });

  it("is dialled again, and the refused command is retried", async () => {
    const old = readonlyReplica();
    const dial = vi.fn(async () => fakeConnection()).mockResolvedValueOnce(old);
    const connection = lazy(dial);
    expect(await connection.send(PING)).toEqual([readonly()]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await connection.send(PING)).toEqual(["PONG"]);
    expect(dial).toHaveBeenCalledTimes(2);
    expect(old.close).toHaveBeenCalledTimes(1);
  });

  it("is dialled again for a refused script", async () => {
    const old = fakeConnection({ script: () => Promise.reject(readonly()) });
    const connection = lazy(vi.fn(async () => fakeConnection()).mockResolvedValueOnce(old));
    await connection.send(PING);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await connection.script({ name: "s", lua: "", twin: () => 1 }, [], [])).toBe(1);
  });

  it("is dialled at most once a second, and its refusal is passed on", async () => {
    const dial = vi.fn(async () => readonlyReplica());
    const connection = lazy(dial);
    for (let i = 0; i < 100; i++) {
      expect(await connection.send(PING, IDEMPOTENT)).toEqual([readonly()]);
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(dial.mock.calls.length).toBeLessThanOrEqual(3);
  });

  it("does not cause a retry of a batch that may have run in part", async () => {
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
