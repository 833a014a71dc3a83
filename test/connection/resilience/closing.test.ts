import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LazyConnection } from "../../../src/connection/resilience/lazy-connection.js";
import type { Connection, Reply } from "../../../src/core/connection.js";
import { ConnectionError, TimeoutError } from "../../../src/core/errors.js";
import { systemClock } from "../../../src/core/time.js";
import { deferred } from "../../support/deferred.js";
import { fakeConnection, hang } from "../fake-connection.js";
import { IDEMPOTENT, lazy, PING, refused, settledAfter } from "./lazy.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("closing", () => {
  it("waits for background work of a failed dial", async () => {
    const ended = deferred<void>();
    const connection = new LazyConnection(
      async (track) => {
        track(ended.promise);
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

  it("waits for abandoned connections, but no longer than their deadlines", async () => {
    const connection = lazy(async () => fakeConnection({ send: hang, close: hang }));
    await settledAfter(2_000, Promise.allSettled([connection.send(PING), connection.send(PING)]));
    const closed = connection.close();
    expect(await settledAfter(1_400, closed)).toBe("pending");
    expect(await settledAfter(200, closed)).toMatchObject({ status: "fulfilled" });
  });
});

describe("closing while commands are in progress", () => {
  it("lets them end, and takes no new ones", async () => {
    const reply = deferred<Reply[]>();
    const opened = fakeConnection({ send: () => reply.promise });
    const connection = lazy(async () => opened);
    const sent = connection.send(PING);
    await settledAfter(0, sent);
    const closed = connection.close();
    expect(await settledAfter(100, closed)).toBe("pending");
    await expect(connection.send(PING)).rejects.toThrow(/closed/);
    reply.resolve(["PONG"]);
    expect(await sent).toEqual(["PONG"]);
    await closed;
    expect(opened.close).toHaveBeenCalledTimes(1);
  });

  it("waits for none beyond its deadline", async () => {
    const opened = fakeConnection({ send: hang });
    const connection = lazy(async () => opened);
    const sent = expect(connection.send(PING)).rejects.toThrow(TimeoutError);
    await vi.advanceTimersByTimeAsync(0);
    const closed = connection.close();
    await vi.advanceTimersByTimeAsync(510);
    await sent;
    await closed;
    expect(opened.close).toHaveBeenCalledTimes(1);
  });
});

describe("a closed connection", () => {
  it("closes its transport once and refuses commands", async () => {
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

  it("closes the connection of a dial in progress when it opens", async () => {
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

  it("does not dial if it never dialled before", async () => {
    const dial = vi.fn(async () => fakeConnection());
    await lazy(dial).close();
    expect(dial).not.toHaveBeenCalled();
  });
});
