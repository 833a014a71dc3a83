import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import {
  type Cache,
  type ConnectionFactory,
  type ConnectionOptions,
  createCache,
  glide,
  glideCluster,
  iovalkey,
  type Lock,
  type LockOptions,
  sentinel,
  TimeoutError,
} from "../../src/index.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { startRestServer } from "../support/rest-server.js";
import { startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const KEY = "app:lock:job";
/** Longer than each test. */
const TTL = "10m";

/** A server behind a proxy, and how caches reach it. */
interface Site {
  readonly server: ValkeyServer;
  readonly proxy: TcpProxy;
  /** Through the proxy. */
  readonly location: string;
  factory(timeout?: Timeout): ConnectionFactory;
  stop(): Promise<unknown>;
}

type Timeout = Pick<ConnectionOptions, "commandTimeout">;
/** After which callers give up. */
const TIMEOUT: Timeout = { commandTimeout: "500ms" };

async function alone(factory: (options: Timeout) => ConnectionFactory): Promise<Site> {
  const server = await startValkey();
  const proxy = await startProxy({ port: server.port });
  const stop = () => Promise.all([proxy.close(), server.stop()]);
  return { server, proxy, location: proxy.url, factory: (timeout = TIMEOUT) => factory(timeout), stop };
}

/** A server that is one of several: its address stands for that of a proxy. */
async function among(
  server: ValkeyServer,
  stopAll: () => Promise<unknown>,
  location: string,
  factory: (options: Timeout & { readonly addressMap: Record<string, string> }) => ConnectionFactory,
): Promise<Site> {
  const proxy = await startProxy({ port: server.port });
  const addressMap = { [`${server.host}:${server.port}`]: `${proxy.host}:${proxy.port}` };
  const stop = () => Promise.all([proxy.close(), stopAll()]);
  return { server, proxy, location, factory: (timeout = TIMEOUT) => factory({ ...timeout, addressMap }), stop };
}

describe.each<[string, () => Promise<Site>]>([
  ["GLIDE", () => alone(glide)],
  ["iovalkey", () => alone(iovalkey)],
  [
    "a cluster",
    async () => {
      const { nodes, url, stop } = await startCluster({ primaries: 1 });
      const [server] = nodes as [ValkeyServer];
      return among(server, stop, url, glideCluster);
    },
  ],
  [
    "sentinels",
    async () => {
      const { primary, sentinels, service, stop } = await startSentinels({ replicas: 0, sentinels: 1 });
      const through = sentinels.map(({ host, port }) => ({ host, port }));
      return among(primary, stop, `valkey://${service}/0`, (options) => sentinel({ ...options, sentinels: through }));
    },
  ],
  [
    "rest()",
    async () => {
      const server = await startValkey();
      const { url, token, stop } = await startRestServer(server);
      const proxy = await startProxy({ port: Number(new URL(url).port) });
      const stopAll = () => Promise.all([proxy.close(), stop(), server.stop()]);
      const location = `http://${proxy.host}:${proxy.port}`;
      return { server, proxy, location, factory: (timeout = TIMEOUT) => rest({ ...timeout, token }), stop: stopAll };
    },
  ],
])("over %s,", { concurrent: true }, (_name, open) => {
  describe("a lock", { concurrent: false }, () => {
    let site: Site;
    let server: ValkeyServer;
    let proxy: TcpProxy;
    let cache: Cache;
    let other: Cache;
    const errors: unknown[] = [];

    beforeEach(async () => {
      site = await open();
      ({ server, proxy } = site);
      errors.length = 0;
      const options = { keyPrefix: "app", onError: (error: unknown) => void errors.push(error) };
      cache = createCache({ location: site.location, connectionFactory: site.factory(), ...options });
      other = createCache({ location: server.url, connectionFactory: iovalkey(), ...options });
      // Its scripts are known to the server, so that one command takes the lock. The first attempts may be late.
      await until(async () => (await taken(cache)).release(), { what: "the first lock" });
      errors.length = 0;
      await command(server.port, ["DEL", KEY]);
    }, 30_000);

    afterEach(async () => {
      await Promise.all([cache.close(), other.close()]);
      await site.stop();
    });

    async function taken(from: Cache, waitTimeout: LockOptions["waitTimeout"] = 0): Promise<Lock> {
      const lock = await from.lock("job", { ttl: TTL, waitTimeout, retryEvery: "10ms" });
      if (!lock) throw new Error("the lock is held");
      return lock;
    }

    const isStored = async () => (await command(server.port, ["EXISTS", KEY])) === 1;

    it("whose reply was lost with its connection is held by the caller, as the retry finds its own token", async () => {
      const connectionFactory = site.factory({ commandTimeout: "10s" });
      await using patient = createCache({ location: site.location, connectionFactory, keyPrefix: "app" });
      await patient.get("a");
      proxy.silence();
      const locking = taken(patient);
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
      const inner = site.factory();
      const connectionFactory: ConnectionFactory = {
        shares: false,
        connect: (location, invocation) => inner.connect(location, invocation),
      };
      await using apart = createCache({ location: site.location, connectionFactory, keyPrefix: "app" });
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
});
