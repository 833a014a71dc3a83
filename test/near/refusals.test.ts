import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CacheOptions, ConfigurationError, iovalkey, type NearCacheOptions } from "../../src/index.js";
import { command } from "../support/command.js";
import { startRespProxy } from "../support/resp-proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { Near } from "./near.js";

const STALE = "1s";
let server: ValkeyServer;
let users = 0;
beforeAll(async () => {
  server = await startValkey();
});
afterAll(() => server.stop());

/** A cache as a user with these rules. Each has its own name for the server, as a process listens once to each. */
async function as(rules: string, near: NearCacheOptions = {}): Promise<Near & { readonly user: string }> {
  const user = `user-${++users}`;
  await command(server.port, ["ACL", "SETUSER", user, "on", ">secret", "~*", ...(rules.split(" ") as [string])]);
  const location = `valkey://${user}:secret@${user}.test:${server.port}/0`;
  const addressMap = { [`${user}.test:${server.port}`]: `${server.host}:${server.port}` };
  const options = { location, addressMap, keyPrefix: "app" } as CacheOptions;
  return Object.assign(new Near(options, { maxStaleness: STALE, ...near }), { user });
}

async function health(near: Near) {
  return (await near.cache.health()).nearCache;
}

/** Writes and reads until the near cache hears of changes in this way. */
async function settled(near: Near, invalidation: string, key = "key"): Promise<void> {
  const isSettled = async () => {
    await near.cache.set(key, 1);
    return (await health(near))?.invalidation === invalidation;
  };
  await until(isSettled, { what: `invalidation ${invalidation}` });
}

describe.concurrent("a near cache whose user may not send", () => {
  it.each([
    ["CLIENT TRACKING", "+@all -client|tracking allchannels", /CLIENT TRACKING.*SETUSER user-\d+ \+client\|tracking"/],
    ["SUBSCRIBE of the server's channel", "+@all resetchannels &valkey-edge-cache:near:*", /&__redis__:invalidate"/],
  ])("%s hears of changes from other near caches instead, and says so once", async (_what, rules, text) => {
    await using near = await as(rules);
    await settled(near, "channel", near.user);
    await until(async () => (await health(near))?.listening, { what: "the near cache to listen" });
    await until(() => near.knows(near.user), { what: "an entry to be kept" });
    expect(near.errors.map(({ message }) => message)).toEqual([expect.stringMatching(text)]);
    expect(near.errors[0]?.message).toMatch(/invalidation is "channel".*maxStaleness/);
    expect(await health(near)).toMatchObject({ invalidation: "channel", lastError: near.errors[0] });
  });

  it.each([
    ["SUBSCRIBE", "+@all -client|tracking -subscribe allchannels", /SUBSCRIBE.*\+subscribe"/],
    ["PUBLISH", "+@all -client|tracking -publish allchannels", /PUBLISH.*\+publish"/],
    ["to a channel", "+@all -client|tracking resetchannels", /&valkey-edge-cache:near:app:1:"/],
  ])("%s either keeps entries for maxStaleness, with one warning for both", async (_what, rules, text) => {
    await using near = await as(rules);
    await settled(near, "ttl", near.user);
    await until(() => near.knows(near.user), { what: "an entry to be kept" });
    await command(server.port, ["SET", `app:1:${near.user}`, "2"]);
    await until(async () => (await near.cache.get(near.user)) === 2, { what: "the new value", timeoutMs: 1_500 });
    const messages = near.errors.map(({ message }) => message);
    expect(messages).toEqual([expect.stringMatching(text)]);
    expect(messages[0]).toMatch(/\+client\|tracking".*invalidation is "ttl".*maxStaleness/);
    expect(await health(near)).toMatchObject({ invalidation: "ttl", listening: false });
  });

  it.each([
    ["tracking", "+@all -client|tracking allchannels", /SETUSER user-\d+ \+client\|tracking"/],
    ["channel", "+@all -subscribe allchannels", /SETUSER user-\d+ \+subscribe"/],
  ] as const)(
    "what invalidation %s needs keeps nothing where that is demanded, for each cache that demands it",
    async (...row) => {
      const [invalidation, rules, text] = row;
      await using near = await as(rules, { invalidation });
      const options = { location: `valkey://${near.user}:secret@${near.user}.test:${server.port}/0` };
      const addressMap = { [`${near.user}.test:${server.port}`]: `${server.host}:${server.port}` };
      const check = async (one: Near) => {
        await one.cache.set("key", 1);
        await until(() => one.errors.length > 0, { what: "an error" });
        for (let reads = 0; reads < 3; reads++) expect(await one.knows("key")).toBe(false);
        expect(one.errors).toEqual([expect.any(ConfigurationError)]);
        expect(one.errors[0]?.message).toMatch(text);
        expect(await health(one)).toMatchObject({
          invalidation,
          listening: false,
          entries: 0,
          lastError: one.errors[0],
        });
      };
      await check(near);
      await using other = new Near({ ...options, addressMap, keyPrefix: "app" } as CacheOptions, {
        maxStaleness: STALE,
        invalidation,
      });
      await check(other);
    },
  );
});

describe.concurrent("a near cache behind a proxy", () => {
  it("that knows neither HELLO nor SUBSCRIBE keeps entries for maxStaleness", async () => {
    await using proxy = await startRespProxy(server.port, { unknown: "error" });
    await using near = new Near(
      { location: proxy.url, connectionFactory: iovalkey(), keyPrefix: "proxied" } as CacheOptions,
      { maxStaleness: STALE },
    );
    await settled(near, "ttl");
    await until(() => near.knows("key"), { what: "an entry to be kept" });
    await command(server.port, ["SET", "proxied:1:key", "2"]);
    await until(async () => (await near.cache.get("key")) === 2, { what: "the new value", timeoutMs: 1_500 });
    expect(near.errors.map(({ message }) => message)).toEqual([
      // Whichever is refused first.
      expect.stringMatching(
        /refuses HELLO.*; and .*refuses (?:SUBSCRIBE|PUBLISH) .*use a server or a proxy that has it/,
      ),
    ]);
  });

  it("that closes connections on what it doesn't know keeps entries for maxStaleness, after some attempts", async () => {
    await using proxy = await startRespProxy(server.port, { unknown: "close" });
    await using near = new Near(
      { location: proxy.url, connectionFactory: iovalkey(), keyPrefix: "closed" } as CacheOptions,
      { maxStaleness: STALE },
    );
    await near.cache.set("key", 1);
    expect(await near.read("key")).toEqual({ value: 1, isKnown: false });
    await until(async () => (await health(near))?.invalidation === "ttl", { what: "the mode", timeoutMs: 10_000 });
    await until(() => near.knows("key"), { what: "an entry to be kept" });
    for (const { message } of near.errors)
      expect(message).toMatch(/refuses HELLO.*closed on HELLO|closed on HELLO.*refuses HELLO/);
  });
});
