import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CacheOptions,
  ConfigurationError,
  ConnectionError,
  type ConnectionOptions,
  createCache,
  glide,
  glideCluster,
  iovalkey,
} from "../../src/index.js";
import { certificate, tlsArguments } from "../support/certificates.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { freePort } from "../support/ports.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const works = async (options: CacheOptions) => {
  await using cache = createCache(options);
  await cache.set("a", { b: 1 });
  expect(await cache.get("a")).toEqual({ b: 1 });
  await cache.set("tagged", 1, { tags: ["a"] });
  expect(await cache.get("tagged")).toBe(1);
  await cache.purgeTags(["a"]);
  expect(await cache.get("tagged")).toBeUndefined();
};

describe("TLS", () => {
  let server: ValkeyServer;
  let strict: ValkeyServer;
  let location: string;
  let strictLocation: string;
  beforeAll(async () => {
    const [port, strictPort] = [await freePort(), await freePort()];
    server = await startValkey({ args: ["--bind", "127.0.0.1 -127.0.0.2", ...tlsArguments(port)] });
    strict = await startValkey({ args: tlsArguments(strictPort, "yes") });
    location = `valkeys://localhost:${port}`;
    strictLocation = `rediss://localhost:${strictPort}`;
  });
  afterAll(() => Promise.all([server?.stop(), strict?.stop()]));

  it("trusts the given authority over either transport", async () => {
    const tls = { ca: certificate("ca.pem") };
    await works({ location, tls });
    await works({ location, connectionFactory: iovalkey({ tls }) });
  });

  it.each([
    ["valkey-glide", glide],
    ["iovalkey", iovalkey],
  ])("an error of certificates over %s has a remedy of its own", async (name, factory) => {
    const tls = { ca: certificate("ca.pem") };
    const elsewhere = ({ port }: { port: number }) => ({ host: "127.0.0.2", port });
    const failing: [string, ConnectionOptions][] = [
      [location, {}],
      [location, { tls: { ca: certificate("client.pem") } }],
      [location, { tls, addressMap: elsewhere }],
    ];
    // iovalkey hears of this one after the handshake, as a closed connection.
    if (name === "valkey-glide") failing.push([strictLocation, { tls }]);
    for (const [url, options] of failing) {
      await using cache = createCache({ location: url, connectionFactory: factory(options) });
      const error: unknown = await cache.get("a").catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(ConnectionError);
      expect(String(error)).toMatch(
        /certificate.*; check option "tls" \(ca, or cert and key\), and that the certificate names the host$/,
      );
    }
  });

  it("trusts every server with the option insecure", async () => {
    await works({ location, tls: { insecure: true } });
    await works({ location, connectionFactory: iovalkey({ tls: { insecure: true } }) });
  });

  it("sends a client certificate, for which iovalkey is chosen by default", async () => {
    const tls = { ca: certificate("ca.pem"), cert: certificate("client.pem"), key: certificate("client.key") };
    await works({ location: strictLocation, tls });
  });

  it("is a clear error with GLIDE and a client certificate", () => {
    const tls = { cert: certificate("client.pem"), key: certificate("client.key") };
    const make = () => createCache({ location: strictLocation, connectionFactory: glide({ tls }) });
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(/client certificate.*iovalkey\(\)/);
  });
});

it("an ACL user can log in, and gets an error for forbidden commands", async () => {
  await using server = await startValkey();
  await command(server.port, ["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+ping"]);
  for (const make of [glide, iovalkey]) {
    const connectionFactory = make({ username: "reader", password: "secret" });
    await using cache = createCache({ location: server.url, connectionFactory });
    expect(await cache.get("a")).toBeUndefined();
    await expect(cache.set("a", 1)).rejects.toMatchObject({ name: "ReplyError", code: "NOPERM" });
    expect((await cache.health()).state).toBe("closed");
  }
});

it.each([2, 3])("a location can ask for RESP%i", async (protocol) => {
  await using server = await startValkey();
  await using cache = createCache({ location: `${server.url}?protocol=${protocol}` });
  await cache.get("a");
  expect(String(await command(server.port, ["CLIENT", "LIST"]))).toMatch(
    new RegExp(`lib-name=valkey-edge-cache.* resp=${protocol}|resp=${protocol} lib-name=valkey-edge-cache`),
  );
});

describe("replicas", () => {
  const calls = async (port: number) => {
    const stats = String(await command(port, ["INFO", "commandstats"]));
    return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };

  it("answer reads with readFrom, and the primary answers writes", async () => {
    const soon = ["--repl-diskless-sync-delay", "0"];
    await using primary = await startValkey({ args: soon });
    await using replica = await startValkey({ args: ["--replicaof", `${primary.host} ${primary.port}`] });
    await using cache = createCache({ location: [primary.url, replica.url], readFrom: "preferReplica" });
    await cache.set("a", 1);
    await until(async () => (await cache.get("a")) === 1, { what: "the replica to follow" });
    const before = await calls(replica.port);
    for (let i = 0; i < 20; i++) await cache.get("a");
    expect((await calls(replica.port)) - before).toBe(20);
    expect(await calls(primary.port)).toBe(0);
  });

  it("of a cluster answer reads as well", async () => {
    await using cluster = await startCluster({ replicas: 1 });
    const connectionFactory = glideCluster({ readFrom: "preferReplica" });
    await using cache = createCache({ location: cluster.url, connectionFactory });
    const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
    await cache.setMany(keys.map((key) => [key, 1] as const));
    const readAll = () => Promise.all(keys.map((key) => cache.get(key)));
    await until(async () => (await readAll()).every((value) => value === 1), { what: "the replicas to follow" });
    const replicas = cluster.nodes.slice(3);
    const count = async () => (await Promise.all(replicas.map(({ port }) => calls(port)))).reduce((a, b) => a + b);
    const before = await count();
    await readAll();
    expect((await count()) - before).toBe(keys.length);
  });
});

describe("tags, with reads from replicas", () => {
  it.each<[string, () => Promise<CacheOptions & AsyncDisposable>]>([
    [
      "a primary and its replica",
      async () => {
        const primary = await startValkey({ args: ["--repl-diskless-sync-delay", "0"] });
        const replica = await startValkey({ args: ["--replicaof", `${primary.host} ${primary.port}`] });
        const stop = async () => void (await Promise.all([primary.stop(), replica.stop()]));
        const connectionFactory = glide({ readFrom: "preferReplica" });
        return { location: [primary.url, replica.url], connectionFactory, [Symbol.asyncDispose]: stop };
      },
    ],
    [
      "a cluster",
      async () => {
        const { url, stop } = await startCluster({ replicas: 1 });
        const connectionFactory = glideCluster({ readFrom: "preferReplica" });
        return { location: url.split(","), connectionFactory, [Symbol.asyncDispose]: stop };
      },
    ],
  ])("end what was purged, and nothing else, over %s", async (_name, open) => {
    await using options = await open();
    await using cache = createCache(options);
    const keys = Array.from({ length: 10 }, (_, i) => `key ${i}`);
    const tags = (_value: unknown, key: string) => [key, "all"];
    await cache.setMany(new Map(keys.map((key) => [key, 1])), { tags });
    const become = async (expected: readonly string[]) => {
      const found = await Promise.all(keys.map((key) => cache.get(key)));
      return String(keys.filter((_, i) => found[i] === 1)) === String(expected);
    };
    // Replicas follow at once, but not in the same moment.
    await until(() => become(keys), { what: "the replicas to have the values" });
    await cache.purgeTags(keys.slice(0, 3));
    await until(() => become(keys.slice(3)), { what: "three values to be gone" });
    await cache.purgeTags(["all"], { soft: true });
    await until(() => become([]), { what: "all values to be stale" });
    expect(await cache.getOrSet("key 9", () => 2, { tags: ["all"] })).toBe(1);
    await until(async () => (await cache.get("key 9")) === 2, { what: "the new value" });
    expect(await cache.has("key 1")).toBe(false);
  });
});

describe("connections at the server", () => {
  const opened = async (port: number) => {
    const info = String(await command(port, ["INFO", "stats"]));
    return Number(/total_connections_received:(\d+)/.exec(info)?.[1]);
  };
  const open = async (port: number) =>
    String(await command(port, ["CLIENT", "LIST"])).match(/lib-name=valkey-edge-cache/g)?.length ?? 0;

  it("are one for 1,000 concurrent first calls and for 1,000 caches with equal options", async () => {
    await using server = await startValkey();
    const caches = Array.from({ length: 1_000 }, () => createCache({ location: server.url }));
    await Promise.all(caches.map((cache, i) => cache.set(`key ${i}`, i)));
    const [first] = caches;
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => first?.get(`key ${i}`)));
    expect(await open(server.port)).toBe(1);
    await Promise.all(caches.map((cache) => cache.close()));
  });

  it("are one after 100 reconnects", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url });
    await cache.set("a", 1);
    const before = await opened(server.port);
    let asked = 0;
    for (let i = 0; i < 100; i++) {
      await command(server.port, ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
      expect(await cache.get("a")).toBe(1);
      asked++;
    }
    // GLIDE reconnects while the library dials another connection: at most two for each loss, and one stays.
    expect((await opened(server.port)) - before - asked).toBeLessThanOrEqual(200 + 1);
    await until(async () => (await open(server.port)) === 1, { what: "old connections to end", timeoutMs: 8_000 });
  });

  it("in a cluster are as many as the nodes need, however many callers and caches there are", async () => {
    await using cluster = await startCluster();
    const connectionFactory = glideCluster();
    const make = () => createCache({ location: cluster.url, connectionFactory });
    const count = async () => (await Promise.all(cluster.nodes.map(({ port }) => open(port)))) as number[];
    const [alone, ...others] = Array.from({ length: 200 }, make);
    await alone?.set("a", 1);
    const needed = await count();
    await Promise.all(others.map((cache, i) => cache.set(`key ${i}`, i)));
    expect(await count()).toEqual(needed);
    expect(Math.max(...needed)).toBeLessThanOrEqual(2);
    await Promise.all([alone, ...others].map((cache) => cache?.close()));
  });
});
