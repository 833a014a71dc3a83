import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Cache,
  type ConnectionFactory,
  createCache,
  glide,
  iovalkey,
  type Lock,
  type LockOptions,
  TimeoutError,
} from "../../src/index.js";
import { command } from "../support/command.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const KEY = "app:lock:job";
/** Longer than each test. */
const TTL = "10m";

describe.each([
  ["GLIDE", glide],
  ["iovalkey", iovalkey],
])("over %s, a lock", (_name, factory) => {
  let server: ValkeyServer;
  let proxy: TcpProxy;
  let cache: Cache;
  let other: Cache;
  const errors: unknown[] = [];

  beforeEach(async () => {
    server = await startValkey();
    proxy = await startProxy({ port: server.port });
    errors.length = 0;
    const options = { keyPrefix: "app", onError: (error: unknown) => void errors.push(error) };
    const connectionFactory = factory({ commandTimeout: "500ms" });
    cache = createCache({ location: proxy.url, connectionFactory, ...options });
    other = createCache({ location: server.url, ...options });
    // Its scripts are known to the server, so that one command takes the lock.
    await (await taken(cache)).release();
    await command(server.port, ["DEL", KEY]);
  });

  afterEach(async () => {
    await Promise.all([cache.close(), other.close()]);
    await proxy.close();
    await server.stop();
  });

  async function taken(from: Cache, waitTimeout: LockOptions["waitTimeout"] = 0): Promise<Lock> {
    const lock = await from.lock("job", { ttl: TTL, waitTimeout, retryEvery: "10ms" });
    if (!lock) throw new Error("the lock is held");
    return lock;
  }

  const isStored = async () => (await command(server.port, ["EXISTS", KEY])) === 1;

  it("whose reply was lost with its connection is held by the caller, as the retry finds its own token", async () => {
    proxy.silence();
    const locking = taken(cache);
    await until(isStored, { what: "the lock at the server" });
    proxy.resume();
    proxy.reset();
    const lock = await locking;
    expect(await other.lock("job")).toBeUndefined();
    expect(await lock.release()).toBe(true);
    expect(errors).toEqual([]);
  });

  it("that a caller gave up on before its reply is free once the server can be reached, not at the end of its ttl", async () => {
    proxy.silence();
    await expect(cache.lock("job", { ttl: TTL })).rejects.toThrow(TimeoutError);
    proxy.resume();
    const lock = await taken(other, "10s");
    expect(await lock.release()).toBe(true);
    expect(errors).toEqual([]);
  });

  it("that the server gives when it runs again, after its caller gave up, is released", async () => {
    await server.kill("SIGSTOP");
    await expect(cache.lock("job", { ttl: TTL })).rejects.toThrow(TimeoutError);
    await server.kill("SIGCONT");
    await until(isStored, { what: "the lock at the server" });
    await taken(other, "10s");
  });

  it("that a view gave up on is free when the view is closed, also where its connection was its own", async () => {
    const inner = factory({ commandTimeout: "500ms" });
    const connectionFactory: ConnectionFactory = {
      shares: false,
      connect: (location, invocation) => inner.connect(location, invocation),
    };
    await using apart = createCache({ location: proxy.url, connectionFactory, keyPrefix: "app" });
    const view = apart.for();
    await view.get("a");
    proxy.silence();
    await expect(view.lock("job", { ttl: TTL })).rejects.toThrow(TimeoutError);
    proxy.resume();
    await view.close();
    expect(await other.lock("job")).toBeDefined();
  });

  it("of another holder stays while a lost one is released", async () => {
    const held = await taken(other);
    proxy.silence();
    await expect(cache.lock("job", { ttl: TTL })).rejects.toThrow(TimeoutError);
    proxy.resume();
    const before = proxy.roundTrips;
    await until(() => proxy.roundTrips >= before + 2, { what: "both attempts to release it" });
    expect(await held.release()).toBe(true);
  });

  it("is released after its block, where the end of the block could not reach the server", async () => {
    {
      await using lock = await cache.lock("job", { ttl: TTL, renew: true });
      expect(lock).toBeDefined();
      proxy.pause();
    }
    expect(errors).toEqual([expect.any(TimeoutError)]);
    expect(await other.lock("job")).toBeUndefined();
    proxy.resume();
    await taken(other, "10s");
  });
});
