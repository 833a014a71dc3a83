import { describe, expect, it } from "vitest";
import { type CacheOptions, createCache, glide, iovalkey, sentinel } from "../../src/index.js";
import { command } from "../support/command.js";
import { type Sentinels, startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { Near } from "./near.js";

const SOON = ["--repl-diskless-sync-delay", "0"];
const STALE = { maxStaleness: "1s" } as const;
const TOLD = { maxStaleness: "1h" } as const;

async function startPair(): Promise<AsyncDisposable & { primary: ValkeyServer; replica: ValkeyServer }> {
  const primary = await startValkey({ args: SOON });
  const replica = await startValkey({ args: ["--replicaof", `${primary.host} ${primary.port}`, ...SOON] });
  const isLinked = async () => ((await command(replica.port, ["ROLE"])) as unknown[])[3] === "connected";
  await until(isLinked, { what: "the replica to follow" });
  return {
    primary,
    replica,
    async [Symbol.asyncDispose]() {
      await Promise.all([primary.stop(), replica.stop()]);
    },
  };
}

describe.concurrent("a near cache with a primary and its replica", () => {
  it.each([
    ["the default transport", undefined],
    ["glide()", glide({ readFrom: "preferReplica" })],
  ])("keeps nothing that a replica is late with: %s", async (_name, connectionFactory) => {
    await using pair = await startPair();
    const { primary, replica } = pair;
    const readFrom = connectionFactory ? {} : { readFrom: "preferReplica" };
    const options = { location: [primary.url, replica.url], keyPrefix: "app", connectionFactory, ...readFrom };
    await using near = new Near(options as CacheOptions, TOLD);
    await near.keep("key", 1);
    const isCopied = async () => (await command(replica.port, ["GET", "app:1:key"])) === "1";
    await until(isCopied, { what: "the replica to have the value" });
    // The replica can't follow any more, and goes on answering with what it has.
    await command(primary.port, ["ACL", "SETUSER", "default", "-psync", "-sync"]);
    await command(primary.port, ["CLIENT", "KILL", "TYPE", "replica"]);
    await command(primary.port, ["SET", "app:1:key", "2"]);
    expect(await command(replica.port, ["GET", "app:1:key"])).toBe("1");
    await near.sees("key", 2);
    await until(() => near.knows("key"), { what: "the new value to be kept" });
    expect(await near.cache.get("key")).toBe(2);
  });

  it.each([
    ["whose user may not publish it", ["resetchannels"]],
    ["of a user who may", ["allchannels"]],
  ])("misses no purge that a replica is late with, %s", async (_name, channels) => {
    await using pair = await startPair();
    const { primary, replica } = pair;
    const options = { keyPrefix: "app", connectionFactory: glide({ readFrom: "preferReplica" }) };
    await using near = new Near({ ...options, location: [primary.url, replica.url] }, TOLD);
    await command(primary.port, ["ACL", "SETUSER", "purger", "on", ">secret", "~*", "+@all", ...channels]);
    const location = primary.url.replace("://", "://purger:secret@");
    await using other = createCache({ location, keyPrefix: "app", connectionFactory: iovalkey() });
    await other.set("key", 1, { tags: ["a"] });
    await other.purgeTags(["b"]);
    await until(() => near.knows("key"), { what: "the value to be kept" });
    const sizes = () => Promise.all([primary, replica].map(({ port }) => command(port, ["ZCARD", "app:1:"])));
    await until(async () => new Set(await sizes()).size === 1, { what: "the replica to have the log" });
    await command(primary.port, ["ACL", "SETUSER", "default", "-psync", "-sync"]);
    await command(primary.port, ["CLIENT", "KILL", "TYPE", "replica"]);
    await other.purgeTags(["a"]);
    expect(new Set(await sizes()).size).toBe(2);
    await near.sees("key", undefined);
    expect(await near.cache.get("key")).toBeUndefined();
  });

  it("follows when they change places and all connections stay open", async () => {
    await using pair = await startPair();
    const { primary, replica } = pair;
    const options = { location: [primary.url, replica.url], keyPrefix: "app" };
    await using near = new Near(options as CacheOptions, STALE);
    await near.keep("key", 1);
    await command(replica.port, ["REPLICAOF", "NO", "ONE"]);
    await command(primary.port, ["REPLICAOF", replica.host, String(replica.port)]);
    await command(replica.port, ["SET", "app:1:key", "2"]);
    await near.sees("key", 2, 3_000);
    await near.keep("other", 1, 10_000);
    await command(replica.port, ["SET", "app:1:other", "2"]);
    await near.sees("other", 2, 3_000);
  }, 30_000);
});

function through({ sentinels, service }: Sentinels): Near {
  const connectionFactory = sentinel({ sentinels: sentinels.map(({ host, port }) => ({ host, port })) });
  return new Near({ location: `valkey://${service}/0`, connectionFactory, keyPrefix: "app" } as CacheOptions, STALE);
}

describe.concurrent("a near cache through sentinels", () => {
  it("follows a failover: another client's writes at the new primary are heard", async () => {
    await using group = await startSentinels();
    await using near = through(group);
    await near.keep("key", 1);
    await group.failover();
    const port = (await group.primaryPort()) ?? 0;
    await until(() => command(port, ["SET", "app:1:key", "2"]), { what: "a write at the new primary" });
    await near.sees("key", 2, 10_000);
    await near.keep("other", 1, 15_000);
    await command(port, ["SET", "app:1:other", "2"]);
    await near.sees("other", 2);
  }, 40_000);

  it("leaves a primary that was cut off from them and stays up", async () => {
    await using group = await startSentinels({ downAfterMs: 500 });
    const { primary, replicas } = group;
    const [replica] = replicas as [ValkeyServer];
    await using near = through(group);
    await near.keep("key", 1);
    // Frozen, it is taken for dead; then it is back, and does not know yet.
    await primary.kill("SIGSTOP");
    await until(async () => (await group.primaryPort()) === replica.port, { what: "the failover", timeoutMs: 15_000 });
    await command(replica.port, ["SET", "app:1:key", "2"]);
    await near.sees("key", 2, 10_000);
    await primary.kill("SIGCONT");
    await near.keep("other", 1, 15_000);
    await command(replica.port, ["SET", "app:1:other", "2"]);
    await near.sees("other", 2);
  }, 60_000);
});
