import { describe, expect, it, vi } from "vitest";
import { sharedConnection } from "../../src/connection/registry.js";
import { ConnectionError } from "../../src/core/errors.js";
import { fakeConnection } from "./fake-connection.js";

const PING = [["PING"]] as const;

describe("a shared connection", () => {
  it("is the same for all handles with one key, and another one for other keys", async () => {
    const [one, other] = [fakeConnection(), fakeConnection()];
    const make = vi.fn(() => one);
    const handles = [
      sharedConnection("key", make),
      sharedConnection("key", make),
      sharedConnection("other key", () => other),
    ];
    for (const handle of handles) await handle.send(PING);
    expect(make).toHaveBeenCalledTimes(1);
    expect(one.send).toHaveBeenCalledTimes(2);
    expect(other.send).toHaveBeenCalledTimes(1);
    for (const handle of handles) await handle.close();
  });

  it("closes with its last handle, however often each handle is closed", async () => {
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

  it("rejects commands of a closed handle while other handles work", async () => {
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

  it("is made again after it was closed", async () => {
    const make = vi.fn(() => fakeConnection());
    await sharedConnection("again", make).close();
    const handle = sharedConnection("again", make);
    expect(await handle.send(PING)).toEqual(["PONG"]);
    expect(make).toHaveBeenCalledTimes(2);
    await handle.close();
  });
});
