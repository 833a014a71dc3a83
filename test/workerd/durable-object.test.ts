import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, inject, it, onTestFinished, vi } from "vitest";
import { throughObject, type ValkeyObjects } from "../../examples/durable-object/valkey-object.js";
import type { Cache } from "../../src/cache/cache.js";
import { PROCESS } from "../../src/core/connection.js";
import { ConfigurationError, ConnectionError, TimeoutError } from "../../src/core/errors.js";
import { parseLocation } from "../../src/core/location.js";
import { createCache, herd } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";
import { connectionContract } from "../contract/connection.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";
import { connectTo, REQUEST } from "./request.js";

const NAME = "a connection kept in a Durable Object";
const location = inject("ownUrls").object;
const connect = (objects: ValkeyObjects = env.VALKEY, name?: string) =>
  throughObject(objects, name).connect(parseLocation(location), REQUEST);

connectionContract(NAME, async () => {
  const connection = connect();
  return { connection, other: async () => connect(), stop: () => connection.close() };
});

cacheContract(
  NAME,
  (options) => {
    const connectionFactory = throughObject(env.VALKEY);
    return createCache({ location, keyPrefix: ownPrefix(), client: herd(), connectionFactory, ...options }).for();
  },
  { cluster: false },
);

/** Ids of the server's clients, but for the one that asks. */
async function clients(): Promise<string[]> {
  const connection = connectTo(location);
  const [list, own] = await connection.send([
    ["CLIENT", "LIST"],
    ["CLIENT", "ID"],
  ]);
  await connection.close();
  const ids = [...new TextDecoder().decode(list as Uint8Array).matchAll(/^id=(\d+)/gm)].map(([, id]) => id ?? "");
  return ids.filter((id) => id !== String(own));
}

/** Has the host end an object, as for a deployment. */
async function end(name: string): Promise<void> {
  const ending = runInDurableObject(env.VALKEY.getByName(name), (_, state) => state.abort("ended"));
  await expect(ending).rejects.toThrow("ended");
}

/** Objects whose `send` is another one. */
function objectsThat(send: ReturnType<ValkeyObjects["getByName"]>["send"]): ValkeyObjects {
  const refuse = async () => Promise.reject(new Error("not expected"));
  return { getByName: () => ({ send, script: refuse }) };
}

it("serves concurrent requests over one socket, and each name over one of its own", async () => {
  await Promise.all(Array.from({ length: 50 }, () => connect().send([["PING"]])));
  const before = await clients();
  expect(before).toHaveLength(1);
  await connect(env.VALKEY, "another").send([["PING"]]);
  expect(await clients()).toHaveLength(2);
  await end("another");
  await until(async () => (await clients()).length === 1, { what: "the ended object's connection to end" });
  expect(await clients()).toEqual(before);
});

it("opens another socket after the server has ended one", async () => {
  await connect().send([["PING"]]);
  const [before = ""] = await clients();
  await connectTo(location).send([["CLIENT", "KILL", "ID", before]]);
  expect(await connect().send([["PING"]], { readOnly: true })).toEqual(["PONG"]);
  expect(await clients()).not.toContain(before);
});

it("answers after the host has ended the object", async () => {
  const connection = connect();
  await connection.send([["SET", "kept", "1"]]);
  const before = await clients();
  await end("valkey");
  expect(await connection.send([["GET", "kept"]])).toEqual([new TextEncoder().encode("1")]);
  expect(await clients()).not.toEqual(before);
});

it("rejects with the object's TimeoutError when the server is silent", async () => {
  await connect().send([["PING"]]);
  const control = connectTo(location);
  await control.send([["CLIENT", "PAUSE", "10000", "WRITE"]]);
  const error = await connect()
    .send([["SET", "slow", "1"]])
    .catch((thrown: unknown) => thrown);
  await control.send([["CLIENT", "UNPAUSE"]]);
  await control.close();
  expect(error).toBeInstanceOf(TimeoutError);
  expect(error).toMatchObject({ message: expect.stringContaining("did not answer within 1000 ms"), mayHaveRun: true });
});

it("rejects with a TimeoutError when the object is silent, and repeats nothing after that", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const answer = deferred<never>();
  const send = vi.fn(() => answer.promise);
  const call = connect(objectsThat(send)).send([["PING"]], { idempotent: true });
  const error = call.catch((thrown: unknown) => thrown);
  await vi.advanceTimersByTimeAsync(2_500);
  expect(await error).toBeInstanceOf(TimeoutError);
  answer.reject(new Error("late"));
  await vi.advanceTimersByTimeAsync(1);
  expect(send).toHaveBeenCalledTimes(1);
});

it("repeats with the next object only what may run twice", async () => {
  const broken = new Error("Durable Object reset because its code was updated.");
  const failingOnce = () => {
    const send = vi.fn(async () => ["PONG"]);
    return { send: send.mockRejectedValueOnce(broken), objects: objectsThat(send) };
  };
  for (const options of [{ idempotent: true }, { readOnly: true }]) {
    const { send, objects } = failingOnce();
    expect(await connect(objects).send([["PING"]], options)).toEqual(["PONG"]);
    expect(send).toHaveBeenCalledTimes(2);
  }
  const { send, objects } = failingOnce();
  const error = await connect(objects)
    .send([["INCR", "a"]])
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConnectionError);
  expect(error).toMatchObject({ mayHaveRun: true, cause: broken });
  expect(send).toHaveBeenCalledTimes(1);
});

it("sends bytes without the buffer behind them", async () => {
  const view = new Uint8Array(100_000).subarray(7, 12);
  const seen: number[] = [];
  const watched = objectsThat(async ([[, ...args] = ["PING"]]) => {
    for (const one of args) if (one instanceof Uint8Array) seen.push(one.buffer.byteLength);
    return [];
  });
  await connect(watched).send([["SET", "bytes", view]]);
  expect(seen).toEqual([5]);
  await connect().send([["SET", "bytes", view]]);
  const [reply] = await connect().send([["GET", "bytes"]]);
  expect(reply).toEqual(new Uint8Array(5));
  expect((reply as Uint8Array).buffer.byteLength).toBe(5);
});

it("shares loads among requests where the object itself has the cache", async () => {
  const object = env.VALKEY.getByName("own");
  let cache: Cache | undefined;
  let loads = 0;
  const request = () =>
    runInDurableObject(object, async () => {
      cache ??= createCache({ location, keyPrefix: "own" }).for();
      return cache.getOrSet("key", async () => ++loads);
    });
  expect(await Promise.all([request(), request(), request()])).toEqual([1, 1, 1]);
});

it("refuses commands outside a request", async () => {
  const connection = throughObject(env.VALKEY).connect(parseLocation(location), PROCESS);
  await expect(connection.send([["PING"]])).rejects.toThrow(ConfigurationError);
});
