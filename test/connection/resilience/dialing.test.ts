import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Connection } from "../../../src/core/connection.js";
import { ConfigurationError, ConnectionError, TimeoutError } from "../../../src/core/errors.js";
import { deferred } from "../../support/deferred.js";
import { fakeConnection } from "../fake-connection.js";
import { lazy, PING, refused, settledAfter } from "./lazy.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a lazy connection", () => {
  it("dials once, with the first command and not before", async () => {
    const dial = vi.fn(async () => fakeConnection());
    const connection = lazy(dial);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(dial).not.toHaveBeenCalled();
    expect(await connection.send(PING)).toEqual(["PONG"]);
    await connection.script({ name: "s", lua: "", twin: () => 1 }, [], []);
    for await (const _ of connection.scan({ match: "*", count: 1 })) expect.unreachable();
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("answers an empty list of commands without dialling", async () => {
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

  it("rejects all waiting commands when the dial fails", async () => {
    const connection = lazy(() => Promise.reject(refused()));
    const sent = await Promise.allSettled(Array.from({ length: 10 }, () => connection.send(PING)));
    expect(sent.map(({ status }) => status)).toEqual(Array(10).fill("rejected"));
  });

  it("dials again after a failure although the clock was set back", async () => {
    const dial = vi.fn(async () => fakeConnection()).mockRejectedValueOnce(refused());
    const connection = lazy(dial);
    await expect(connection.send(PING)).rejects.toThrow();
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(await connection.send(PING)).toEqual(["PONG"]);
  });

  it("passes on errors that are not connection errors", async () => {
    const broken = new ConfigurationError("can't be loaded");
    await expect(lazy(() => Promise.reject(broken)).send(PING)).rejects.toBe(broken);
  });

  it("rejects with a TimeoutError after connectTimeout, and closes a connection that opens later", async () => {
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

  it("loads the code of dials first, which takes none of their time", async () => {
    const loaded = deferred<void>();
    const dial = vi.fn(async () => fakeConnection());
    const connection = lazy(dial, { prepare: () => loaded.promise });
    const sent = connection.send(PING);
    expect(await settledAfter(5_000, sent)).toBe("pending");
    expect(dial).not.toHaveBeenCalled();
    loaded.resolve();
    expect(await sent).toEqual(["PONG"]);
  });

  it("dials where its code can't be loaded, and so reports why", async () => {
    const broken = new ConfigurationError("can't be loaded");
    const connection = lazy(() => Promise.reject(broken), { prepare: () => Promise.reject(new Error("no module")) });
    await expect(connection.send(PING)).rejects.toBe(broken);
  });

  it("a dial that is replaced starts again for its waiters, and its connection is closed when it opens", async () => {
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

  it("reports its status", async () => {
    const connection = lazy(vi.fn(async () => fakeConnection()));
    expect(connection.status()).toEqual({ state: "idle", lastError: undefined });
    await connection.send(PING);
    expect(connection.status()).toEqual({ state: "closed", lastError: undefined });
    await connection.close();
    expect(() => connection.status()).toThrow(/closed/);
  });
});
