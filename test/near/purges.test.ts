import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Cache, type CacheOptions, createCache, glide, glideCluster } from "../../src/index.js";
import { encode } from "../../src/near/resp.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { Near } from "./near.js";

const CHANNELS = "&valkey-edge-cache:changes:";
const TRACKING = "&__redis__:invalidate";

let server: ValkeyServer;
beforeAll(async () => {
  server = await startValkey();
});
afterAll(() => server.stop());

/** Where caches connect, each with a prefix of its own: a process with a near cache, and others. */
type Connected = Pick<CacheOptions, "location" | "connectionFactory">;

let users = 0;

/** As a user that may use some channels. Each has its own name for the server, as a process listens once to each. */
async function as(channels: string): Promise<Connected> {
  const user = `user-${++users}`;
  await command(server.port, ["ACL", "SETUSER", user, "on", ">secret", "~*", "+@all", "resetchannels", channels]);
  return {
    location: `valkey://${user}:secret@${user}.test:${server.port}`,
    connectionFactory: glide({ addressMap: { [`${user}.test:${server.port}`]: `${server.host}:${server.port}` } }),
  };
}

/** A process that keeps an entry with the tag "own", and another one. */
async function processes(connected: Connected, purger: Connected = connected) {
  const keyPrefix = randomUUID();
  const near = new Near({ ...connected, keyPrefix } as CacheOptions, { maxStaleness: "1m" });
  const other = createCache({ ...purger, keyPrefix } as CacheOptions);
  await other.set("key", 1, { tags: ["own", "shared"] });
  // Of the first purge there may be a message, or the subscription may come too late.
  await until(() => near.knows("key"), { what: "the entry to be kept" });
  const close = () => Promise.all([near.cache.close(), other.close()]);
  return { near, other, [Symbol.asyncDispose]: async () => void (await close()) };
}

/** Purges tags, and reads an entry without them meanwhile. @returns how many reads the process had to send */
async function readsSent(near: Near, other: Cache, purges: number): Promise<number> {
  let sent = 0;
  for (let i = 0; i < purges; i++) {
    await other.purgeTags([`tag ${i}`], { soft: i % 2 === 0 });
    for (let reads = 0; reads < 5; reads++) {
      const { value, isKnown } = await near.read("key");
      expect(value).toBe(1);
      if (!isKnown) sent++;
      await new Promise(setImmediate);
    }
  }
  return sent;
}

const ends = (near: Near) => near.sees("key", undefined);

describe("the entries of a process", () => {
  it.each<[string, () => Connected]>([
    ["one server", () => ({ location: `valkey://${server.host}:${server.port}` })],
    ["a cluster", () => ({ location: inject("clusterUrl").split(","), connectionFactory: glideCluster() })],
  ])("are answered without the server while others purge other tags, at %s", async (_what, connected) => {
    await using both = await processes(connected());
    const { near, other } = both;
    await readsSent(near, other, 5);
    expect(await readsSent(near, other, 50)).toBe(0);
    await other.purgeTags(["own", "another"], { match: "all" });
    expect((await near.read("key")).value).toBe(1);
    await other.purgeTags(["own", "shared"], { match: "all" });
    await ends(near);
    await other.set("key", 1, { tags: ["own"] });
    await until(() => near.knows("key"), { what: "the entry to be kept" });
    await readsSent(near, other, 5);
    expect(await readsSent(near, other, 50)).toBe(0);
    await other.purgeTags(["own"]);
    await ends(near);
    expect(near.errors).toEqual([]);
  });

  it("end with a purge of more tags than are read at once", async () => {
    await using both = await processes({ location: `valkey://${server.host}:${server.port}` });
    const { near, other } = both;
    await readsSent(near, other, 5);
    await other.purgeTags(["own", ...Array.from({ length: 1_500 }, (_tag, i) => `tag ${i}`)]);
    await ends(near);
  });

  it("count as stale when the log is lost, whatever was heard before", async () => {
    await using both = await processes({ location: `valkey://${server.host}:${server.port}` });
    const { near, other } = both;
    await readsSent(near, other, 5);
    await command(server.port, ["DEL", String(other.purges.key())]);
    await ends(near);
    expect(await near.cache.getOrSet<number>("key", () => 2, { tags: ["own"] })).toBe(1);
  });

  it.each<[string, string, string]>([
    ["the other may not publish", `${CHANNELS}* ${TRACKING}`, TRACKING],
    ["the process may not subscribe", TRACKING, `${CHANNELS}*`],
  ])("end with a purge where %s, without a warning", async (_what, own, others) => {
    const [channels = "", ...more] = own.split(" ");
    const reader = await as(channels);
    for (const rule of more) await command(server.port, ["ACL", "SETUSER", `user-${users}`, rule]);
    await using both = await processes(reader, await as(others));
    const { near, other } = both;
    const errors: unknown[] = [];
    other.on("error", (event) => errors.push(event));
    await readsSent(near, other, 5);
    await other.purgeTags(["own"]);
    await ends(near);
    expect([...near.errors, ...errors]).toEqual([]);
    expect((await near.health()).invalidation).toBe("tracking");
  });
});

describe("a server", () => {
  it("sends what a script publishes before it notifies of what the script has changed", async () => {
    const socket = connect(server.port, server.host);
    let received = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
    });
    socket.write(encode(["HELLO", "3"]) + encode(["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "ordered"]));
    socket.write(encode(["SUBSCRIBE", "changes"]));
    await until(() => received.includes("subscribe"), { what: "the subscription" });
    const lua = "redis.call('INCR', KEYS[1]) redis.call('PUBLISH', 'changes', 'change')";
    for (let i = 0; i < 20; i++) {
      const pipeline = Array.from({ length: 1 + (i % 3) }, () => command(server.port, ["EVAL", lua, "1", "ordered"]));
      await Promise.all(pipeline);
    }
    await command(server.port, ["PUBLISH", "changes", "end"]);
    await until(() => received.includes("end"), { what: "all messages" });
    socket.destroy();
    const kinds = [...received.matchAll(/\r\n(change|invalidate)\r\n/g)].map(([, kind]) => kind);
    expect(kinds.filter((kind) => kind === "change")).toHaveLength(39);
    expect(kinds.at(-1)).toBe("invalidate");
    for (const [i, kind] of kinds.entries()) if (kind === "invalidate") expect(kinds[i - 1]).toBe("change");
  });
});
