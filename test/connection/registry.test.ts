import { describe, expect, it, vi } from "vitest";
import { sharedConnection } from "../../src/connection/registry.js";
import { ConnectionError } from "../../src/core/errors.js";
import { fakeConnection } from "./fake-connection.js";

const PING = [["PING"]] as const;

describe("a shared connection", () => {
  it("is one for all who hold it under one key, and none for others", async () => {
    const [one, other] = [fakeConnection(), fakeConnection()];
    const make = vi.fn(() => one);
    const holds = [
      sharedConnection("key", make),
      sharedConnection("key", make),
      sharedConnection("other key", () => other),
    ];
    for (const hold of holds) await hold.send(PING);
    expect(make).toHaveBeenCalledTimes(1);
    expect(one.send).toHaveBeenCalledTimes(2);
    expect(other.send).toHaveBeenCalledTimes(1);
    for (const hold of holds) await hold.close();
  });

  it("ends with its last hold, however often each is closed", async () => {
    const connection = fakeConnection();
    const [one, other] = [sharedConnection("last", () => connection), sharedConnection("last", () => connection)];
    await one.close();
    await one.close();
    await one[Symbol.asyncDispose]();
    expect(connection.close).not.toHaveBeenCalled();
    expect(await other.send(PING)).toEqual(["PONG"]);
    await other.close();
    expect(connection.close).toHaveBeenCalledTimes(1);
  });

  it("refuses commands of a hold that was closed, although others go on", async () => {
    const connection = fakeConnection();
    const [one, other] = [sharedConnection("closed", () => connection), sharedConnection("closed", () => connection)];
    await one.close();
    const script = { name: "s", lua: "", twin: () => 1 };
    await expect(one.send(PING)).rejects.toThrow(ConnectionError);
    await expect(one.script(script, [], [])).rejects.toThrow(/closed/);
    await expect(one.scan({ match: "*", count: 1 })[Symbol.asyncIterator]().next()).rejects.toThrow(/closed/);
    expect(connection.send).not.toHaveBeenCalled();
    expect(connection.script).not.toHaveBeenCalled();
    expect(await other.script(script, [], [])).toBe(1);
    await other.close();
  });

  it("is made anew for who comes after its end", async () => {
    const make = vi.fn(() => fakeConnection());
    await sharedConnection("again", make).close();
    const hold = sharedConnection("again", make);
    expect(await hold.send(PING)).toEqual(["PONG"]);
    expect(make).toHaveBeenCalledTimes(2);
    await hold.close();
  });
});
