import { describe, expect, it, vi } from "vitest";
import { DeferredConnection } from "../../src/connection/deferred.js";
import { ConnectionError } from "../../src/core/errors.js";
import { deferred } from "../support/deferred.js";
import { fakeConnection } from "./fake-connection.js";

const PING = [["PING"]] as const;

describe("a deferred connection", () => {
  it("is loaded once by its first commands", async () => {
    const open = vi.fn(async () => fakeConnection());
    const connection = new DeferredConnection(open);
    expect(connection.status()).toEqual({ state: "idle", lastError: undefined });
    expect(open).not.toHaveBeenCalled();
    expect(await Promise.all([connection.send(PING), connection.send(PING)])).toEqual([["PONG"], ["PONG"]]);
    expect(open).toHaveBeenCalledTimes(1);
    expect(connection.status().state).toBe("closed");
  });

  it("keeps the order of commands that are sent while it loads and right after", async () => {
    const received: string[] = [];
    const opening = deferred<ReturnType<typeof fakeConnection>>();
    const connection = new DeferredConnection(() => opening.promise);
    const send = (name: string) => connection.send([[name]]);
    const opened = fakeConnection({
      send: async ([command]) => {
        received.push(String(command?.[0]));
        return [null];
      },
    });
    const first = [send("A"), send("B")];
    // Runs after the connection has loaded and before the commands that wait for it.
    void Promise.resolve().then(() => first.push(send("C")));
    opening.resolve(opened);
    await Promise.all(first);
    await Promise.all([...first, send("D")]);
    expect(received).toEqual(["A", "B", "C", "D"]);
  });

  it("is loaded again after a failure", async () => {
    const open = vi.fn(async () => fakeConnection()).mockRejectedValueOnce(new Error("no such file"));
    const connection = new DeferredConnection(open);
    await expect(connection.send(PING)).rejects.toThrow("no such file");
    expect(await connection.send(PING)).toEqual(["PONG"]);
  });

  it("closes its connection after the commands that were sent before", async () => {
    const received: string[] = [];
    const opened = fakeConnection({
      send: async () => {
        received.push("send");
        return [null];
      },
      close: async () => void received.push("close"),
    });
    const connection = new DeferredConnection(async () => opened);
    const sent = connection.send(PING);
    await connection.close();
    await sent;
    expect(received).toEqual(["send", "close"]);
  });

  it("loads nothing when it is closed, nor afterwards", async () => {
    const open = vi.fn(async () => fakeConnection());
    const connection = new DeferredConnection(open);
    await connection.close();
    await expect(connection.send(PING)).rejects.toThrow(ConnectionError);
    await expect(connection.scan({ match: "*", count: 1 })[Symbol.asyncIterator]().next()).rejects.toThrow(/closed/);
    expect(() => connection.status()).toThrow(/closed/);
    expect(open).not.toHaveBeenCalled();
  });

  it("rejects commands that follow close() while it loads", async () => {
    const connection = new DeferredConnection(async () => fakeConnection());
    const sent = connection.send(PING);
    const closed = connection.close();
    await expect(connection.send(PING)).rejects.toThrow(ConnectionError);
    expect(await sent).toEqual(["PONG"]);
    await closed;
  });
});
