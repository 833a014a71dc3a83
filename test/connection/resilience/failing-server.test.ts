import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Connection, Reply } from "../../../src/core/connection.js";
import { ConfigurationError, ConnectionError, ReplyError, TimeoutError } from "../../../src/core/errors.js";
import { deferred } from "../../support/deferred.js";
import { fakeConnection, hang } from "../fake-connection.js";
import { IDEMPOTENT, lazy, PING, refused, settledAfter } from "./lazy.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a server that keeps failing", () => {
  it("makes calls fail at once with the last error as the cause, and is dialled once per window", async () => {
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

  it("is dialled by one of many calls while the others fail at once", async () => {
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

  it("is dialled again within a second, however long it was unreachable", async () => {
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

  it("does not include one that sends reply errors, nor errors that no server causes", async () => {
    const refusal = () => Promise.reject(new ReplyError("OOM", "no room"));
    const connection = lazy(async () => fakeConnection({ script: refusal }));
    for (let i = 0; i < 10; i++) {
      await expect(connection.script({ name: "s", lua: "", twin: () => 1 }, [], [])).rejects.toThrow("OOM");
    }
    const broken = lazy(() => Promise.reject(new ConfigurationError("can't be loaded")));
    for (let i = 0; i < 10; i++) await expect(broken.send(PING)).rejects.toThrow("can't be loaded");
    expect(connection.status().state).toBe("closed");
  });

  it("makes calls fail at once after three timeouts in a row, although dialling works", async () => {
    const connection = lazy(async () => fakeConnection({ send: () => hang() }));
    for (let i = 0; i < 3; i++) await settledAfter(510, connection.send(PING));
    expect(await settledAfter(0, connection.send(PING))).toMatchObject({ status: "rejected" });
  });

  it("is dialled again after three timeouts if its transport reconnects by itself", async () => {
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

  it("is dialled again after some seconds if only some of its connections are dead", async () => {
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

  it("does not include one that is sometimes slow while other commands are answered", async () => {
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

  it("ends a call that dials again after commandTimeout", async () => {
    const dial = vi
      .fn(() => hang<Connection>())
      .mockResolvedValueOnce(fakeConnection({ send: vi.fn(() => Promise.reject(new ConnectionError("lost"))) }));
    const connection = lazy(dial, { connectTimeoutMs: 10_000 });
    const sent = connection.send(PING, IDEMPOTENT);
    expect(await settledAfter(499, sent)).toBe("pending");
    expect(await settledAfter(10, sent)).toMatchObject({ reason: expect.any(TimeoutError) });
  });
});
