import { expect, it, vi } from "vitest";
import { createCache, glideCluster, iovalkey, sentinel } from "../../src/index.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startProxy } from "../support/proxy.js";
import { startRespProxy } from "../support/resp-proxy.js";
import { startSentinels } from "../support/sentinels.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

it("describes a store that answers, that is gone, and that is back", async () => {
  await using server = await startValkey();
  await using cache = createCache({ location: server.url, commandTimeout: "200ms", connectTimeout: "200ms" });
  const well = await cache.health();
  expect(well).toEqual({
    state: "closed",
    transport: "valkey-glide",
    server: "valkey",
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    role: "primary",
    topology: "standalone",
    roundTripMs: expect.any(Number),
  });
  expect(well.roundTripMs).toBeGreaterThan(0);
  await server.kill("SIGKILL");
  const gone = await until(async () => ((await cache.health()).state === "open" ? cache.health() : undefined), {
    what: "the breaker to open",
  });
  expect(gone).toMatchObject({ lastError: expect.objectContaining({ name: "ConnectionError" }) });
  expect(gone.roundTripMs).toBeUndefined();
  await server.restart();
  // Nothing but health() is called: it is what finds the server again.
  await until(async () => (await cache.health()).state === "closed", { what: "the breaker to close" });
});

it("costs far less than a millisecond per call while the store is gone", async () => {
  await using proxy = await startProxy({ port: 1 });
  proxy.refuse();
  await using cache = createCache({ location: proxy.url });
  const clock = vi.spyOn(Date, "now");
  await expect(cache.get("a")).rejects.toThrow();
  // The window that was just opened stays open: what is measured is refusals alone.
  clock.mockReturnValue(Date.now());
  const calls = 2_000;
  const startMs = performance.now();
  for (let i = 0; i < calls; i++) await cache.get("a").catch(() => {});
  expect((performance.now() - startMs) / calls).toBeLessThan(0.5);
});

it("reports what the server says when it refuses even a PING", async () => {
  await using server = await startValkey();
  await command(server.port, ["ACL", "SETUSER", "nobody", "on", ">x", "+get"]);
  const location = server.url.replace("//", "//nobody:x@");
  await using cache = createCache({ location });
  expect(await cache.health()).toMatchObject({ lastError: expect.objectContaining({ code: "NOPERM" }) });
});

it("is trivial for a cache in memory, and an error for one that was closed", async () => {
  const cache = createCache({ location: "memory:" });
  expect(await cache.health()).toEqual({ state: "closed", transport: "memory", roundTripMs: expect.any(Number) });
  await cache.close();
  await expect(cache.health()).rejects.toThrow(/closed/);
});

it("returns server, version, role and topology over iovalkey, in a cluster and at a replica", async () => {
  await using server = await startValkey();
  await using replica = await startValkey({ args: ["--replicaof", `127.0.0.1 ${server.port}`] });
  await using cluster = await startCluster();
  await using cache = createCache({ location: server.url });
  const { version } = await cache.health();
  const common = { state: "closed", server: "valkey", version };
  await using direct = createCache({ location: server.url, connectionFactory: iovalkey() });
  expect(await direct.health()).toMatchObject({ ...common, role: "primary", topology: "standalone" });
  await using atReplica = createCache({ location: replica.url, connectionFactory: iovalkey() });
  expect(await atReplica.health()).toMatchObject({ ...common, role: "replica", topology: "standalone" });
  await using clustered = createCache({ location: cluster.url, connectionFactory: glideCluster() });
  expect(await clustered.health()).toMatchObject({ ...common, role: "primary", topology: "cluster" });
});

it("asks INFO where HELLO is refused, and leaves out what neither replies with", async () => {
  await using old = await startValkey({ args: ["--rename-command", "HELLO", ""] });
  await using cache = createCache({ location: old.url, connectionFactory: iovalkey() });
  const told = { server: "valkey", role: "primary", topology: "standalone", unavailable: ["HELLO"] };
  expect(await cache.health()).toMatchObject(told);
  await command(old.port, ["ACL", "SETUSER", "plain", "on", ">x", "~*", "+get", "+ping"]);
  const location = old.url.replace("//", "//plain:x@");
  await using plain = createCache({ location, connectionFactory: iovalkey() });
  expect(await plain.health()).toEqual({
    state: "closed",
    transport: "iovalkey",
    unavailable: expect.arrayContaining(["HELLO", "INFO"]),
    roundTripMs: expect.any(Number),
  });
});

it.each([
  ["valkey-glide", undefined],
  ["iovalkey", iovalkey()],
])("asks a proxy that ends the connection on HELLO no second time, first tried over %s", async (_, factory) => {
  await using server = await startValkey();
  await using proxy = await startRespProxy(server.port, { unknown: "close" });
  await using cache = createCache({ location: proxy.url, ...(factory && { connectionFactory: factory }) });
  await cache.set("a", 1);
  const told = { state: "closed", transport: "iovalkey", roundTripMs: expect.any(Number) };
  expect(await cache.health()).toMatchObject(told);
  const before = proxy.refused.filter((name) => name === "HELLO").length;
  for (let i = 0; i < 3; i++) expect(await cache.health()).toMatchObject(told);
  expect(proxy.refused.filter((name) => name === "HELLO")).toHaveLength(before);
  expect(await cache.get("a")).toBe(1);
});

it("says that the server was found by sentinels", async () => {
  await using topology = await startSentinels();
  await using cache = createCache({
    location: `valkey://${topology.service}`,
    connectionFactory: sentinel({ sentinels: topology.sentinels.map(({ host, port }) => ({ host, port })) }),
  });
  expect(await cache.health()).toMatchObject({ state: "closed", role: "primary", topology: "sentinel" });
});
