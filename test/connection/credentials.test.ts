import { describe, expect, it, vi } from "vitest";
import {
  type CacheOptions,
  ConnectionError,
  type ConnectionFactory,
  type ConnectionOptions,
  type Credentials,
  createCache,
  type GetCredentials,
  glide,
  iovalkey,
} from "../../src/index.js";
import { command } from "../support/command.js";
import { runScript } from "../support/script.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";

const transports: Readonly<Record<string, (options: ConnectionOptions) => ConnectionFactory>> = { glide, iovalkey };

/** The connections of a user at the server, as their ids. */
async function idsOf(server: ValkeyServer, user: string): Promise<string[]> {
  const list = String(await command(server.port, ["CLIENT", "LIST"]));
  const lines = list.split("\n").filter((line) => line.includes(` user=${user} `));
  return lines.map((line) => /^id=(\d+)/.exec(line)?.[1] ?? "");
}

const setUser = (server: ValkeyServer, user: string, ...rules: string[]) =>
  command(server.port, ["ACL", "SETUSER", user, "on", "~*", "+@all", ...rules]);

/** Kills the connections of a user. */
const kill = (server: ValkeyServer, user: string) => command(server.port, ["CLIENT", "KILL", "USER", user]);

/** Credentials that the test changes. */
function changing(first: Credentials): { now: Credentials; get: GetCredentials & ReturnType<typeof vi.fn> } {
  const source = { now: first, get: vi.fn(async () => source.now) };
  return source;
}

describe.each(Object.entries(transports))("credentials over %s()", (_, factory) => {
  const cacheOf = (server: ValkeyServer, options: ConnectionOptions, more: Partial<CacheOptions> = {}) =>
    createCache({ location: server.url, connectionFactory: factory(options), ...more });

  it("are asked for by each dial, and by nothing else", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">one");
    const source = changing({ username: "app", password: "one" });
    await using cache = cacheOf(server, { credentials: source.get, maxIdle: "300ms" });
    expect(source.get).not.toHaveBeenCalled();
    await Promise.all([cache.set("a", 1), cache.get("b"), cache.get("c")]);
    await cache.get("a");
    expect(source.get).toHaveBeenCalledTimes(1);
    // The first connection is replaced when it was idle for too long. The password has changed by then.
    await setUser(server, "app", ">two", "<one");
    source.now = { username: "app", password: "two" };
    const ids = await idsOf(server, "app");
    const isOpenAgain = async () => {
      await cache.get("a");
      return (await idsOf(server, "app")).some((id) => !ids.includes(id));
    };
    await until(isOpenAgain, { what: "another connection", everyMs: 350 });
    expect(source.get).toHaveBeenCalledTimes(2);
  });

  it("are asked for once more if the server refuses them, as they may have just changed", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">new");
    const get = vi.fn(async () => ({ username: "app", password: get.mock.calls.length === 1 ? "old" : "new" }));
    await using cache = cacheOf(server, { credentials: get });
    expect(await cache.incr("n", 1, { create: true })).toBe(1);
    expect(get).toHaveBeenCalledTimes(2);
  });

  it("that the server keeps refusing are an error that doesn't contain them", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">right");
    let calls = 0;
    await using cache = cacheOf(server, {
      credentials: async () => ({ username: "app", password: `s3cret-${++calls}` }),
    });
    const error: unknown = await cache.get("a").catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toMatch(/WRONGPASS/);
    expect(`${error} ${JSON.stringify(error)} ${JSON.stringify(await cache.health())}`).not.toContain("s3cret");
    expect(calls).toBe(2);
  });

  it("that change after a refusal are tried at once", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">right");
    const source = changing({ username: "app", password: "wrong" });
    await using cache = cacheOf(server, { credentials: source.get });
    await expect(cache.get("a")).rejects.toThrow(/WRONGPASS/);
    source.now = { username: "app", password: "right" };
    await until(() => cache.set("a", 1), { what: "a login with the right password", timeoutMs: 1_500 });
  });

  it.each([
    ["nothing", undefined, /password is not a string.*return \{ username, password, expiresAt \}/],
    ["null", null, /password/],
    ["a text", "secret", /password/],
    ["an empty password", { password: "" }, /password/],
    ["an empty username", { username: "", password: "secret" }, /username/],
    ["a username that is a number", { username: 1, password: "secret" }, /username/],
    [
      "an end in seconds",
      { password: "secret", expiresAt: Math.floor(Date.now() / 1000) + 900 },
      /expiresAt.*milliseconds/,
    ],
    ["an end that is past", { password: "secret", expiresAt: new Date(0) }, /expiresAt/],
    ["an end that is no date", { password: "secret", expiresAt: new Date("?") }, /expiresAt/],
    ["an end as text", { password: "secret", expiresAt: "2100-01-01" }, /expiresAt/],
  ])("that are %s are an error with the remedy, before any dial", async (_what, given, message) => {
    const connectionFactory = factory({ credentials: vi.fn().mockResolvedValue(given) });
    await using cache = createCache({ location: "valkey://127.0.0.1:1", connectionFactory });
    const error = await cache.get("a").catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/option "credentials"/),
      cause: { message: expect.stringMatching(message) },
    });
    expect(String(error)).not.toContain("secret");
  });

  it("that can't be had are a ConnectionError with that cause", async () => {
    await using server = await startValkey();
    const cause = new Error("no token: the metadata service is away");
    for (const credentials of [
      () => Promise.reject(cause),
      () => {
        throw cause;
      },
    ]) {
      await using cache = cacheOf(server, { credentials });
      await expect(cache.get("a")).rejects.toMatchObject({
        name: "ConnectionError",
        message: expect.stringContaining('option "credentials": no token: the metadata service is away'),
        cause,
      });
    }
  });

  it("that never come are named within the connect timeout", async () => {
    await using server = await startValkey();
    await using cache = cacheOf(server, { credentials: () => new Promise(() => {}), connectTimeout: "200ms" });
    const took = stopwatch();
    await expect(cache.get("a")).rejects.toThrow(/option "credentials": no answer within 180 ms.*connectTimeout/);
    expect(took()).toBeLessThan(1_000);
  });

  it("log an open connection in again before they end", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">p0");
    let calls = 0;
    const credentials = async () => {
      const password = `p${calls++}`;
      await setUser(server, "app", `>${password}`);
      return { username: "app", password, expiresAt: Date.now() + 1_000 };
    };
    await using cache = cacheOf(server, { credentials });
    await cache.set("a", 1);
    const [id] = await idsOf(server, "app");
    await until(() => calls >= 4, { what: "three renewals" });
    const ids = await idsOf(server, "app");
    expect(ids).toEqual([id]);
    // Only the newest password is left: a client that reconnects by itself has to know it.
    await command(server.port, ["ACL", "SETUSER", "app", "resetpass", `>p${calls - 1}`]);
    await kill(server, "app");
    expect(await cache.get("a")).toBe(1);
  });

  it("may end as a Date, and stay the same until shortly before their end", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">one", ">two");
    const source = changing({ username: "app", password: "one", expiresAt: new Date(Date.now() + 1_500) });
    await using cache = cacheOf(server, { credentials: source.get });
    await cache.set("a", 1);
    const ids = await idsOf(server, "app");
    await until(() => source.get.mock.calls.length >= 2, { what: "a first renewal" });
    source.now = { username: "app", password: "two", expiresAt: new Date(Date.now() + 60_000) };
    await until(() => source.get.mock.calls.length >= 3, { what: "a second renewal" });
    await command(server.port, ["ACL", "SETUSER", "app", "<one"]);
    expect(await cache.get("a")).toBe(1);
    expect(await idsOf(server, "app")).toEqual(ids);
  });

  it("may name another user, which sends later calls", async () => {
    await using server = await startValkey();
    await setUser(server, "blue", ">one");
    await setUser(server, "green", ">two");
    let calls = 0;
    const credentials = async () =>
      calls++ === 0
        ? { username: "blue", password: "one", expiresAt: Date.now() + 500 }
        : { username: "green", password: "two" };
    await using cache = cacheOf(server, { credentials });
    await cache.set("a", 1);
    expect(await idsOf(server, "blue")).toHaveLength(1);
    await until(() => calls >= 2, { what: "a renewal" });
    await until(async () => (await cache.get("a")) === 1 && (await idsOf(server, "blue")).length === 0, {
      what: "the first user to leave",
    });
    expect(await idsOf(server, "green")).toHaveLength(1);
  });

  it("that can't be renewed are tried again until they end, and the next call opens another connection", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">one", ">two");
    const failure = new Error("no token");
    const get = vi.fn<() => Promise<Credentials>>().mockRejectedValue(failure);
    get.mockResolvedValueOnce({ username: "app", password: "one", expiresAt: Date.now() + 1_500 });
    await using cache = cacheOf(server, { credentials: get });
    await cache.set("a", 1);
    const [first] = await idsOf(server, "app");
    await until(async () => (await idsOf(server, "app")).length === 0, { what: "the connection to be given up" });
    expect(get.mock.calls.length).toBeGreaterThan(2);
    get.mockResolvedValue({ username: "app", password: "two" });
    expect(await cache.get("a")).toBe(1);
    expect(await idsOf(server, "app")).not.toContain(first);
  });

  it("are asked for no more once the cache is closed", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">one");
    const makeGet = () => vi.fn(async () => ({ username: "app", password: "one", expiresAt: Date.now() + 400 }));
    const [ended, going] = [makeGet(), makeGet()];
    const cache = cacheOf(server, { credentials: ended });
    await cache.get("a");
    await cache.close();
    await using other = cacheOf(server, { credentials: going });
    await other.get("a");
    await until(() => going.mock.calls.length >= 3, { what: "renewals of another cache" });
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it("share a connection by the identity of the function, or by credentialsId, and the newest function counts", async () => {
    await using server = await startValkey();
    await setUser(server, "app", ">one");
    const get = async () => ({ username: "app", password: "one" });
    const made = (options: ConnectionOptions) => cacheOf(server, options);
    const same = [made({ credentials: get }), made({ credentials: get })];
    await Promise.all(same.map((cache) => cache.get("a")));
    expect(await idsOf(server, "app")).toHaveLength(1);
    const other = made({ credentials: async () => get() });
    await other.get("a");
    expect(await idsOf(server, "app")).toHaveLength(2);
    await Promise.all([...same, other].map((cache) => cache.close()));
    await until(async () => (await idsOf(server, "app")).length === 0, { what: "all connections to end" });

    const [old, newest] = [vi.fn(get), vi.fn(get)];
    await using before = made({ credentials: old, credentialsId: "tokens" });
    await using after = made({ credentials: newest, credentialsId: "tokens" });
    await Promise.all([before.get("a"), after.get("a")]);
    expect(await idsOf(server, "app")).toHaveLength(1);
    expect(old).not.toHaveBeenCalled();
    expect(newest).toHaveBeenCalledTimes(1);
  });
});

it("a process with credentials to renew ends by itself once it has closed its caches", async () => {
  await using server = await startValkey();
  const { code, stderr } = await runScript(`
    const credentials = async () => ({ username: "default", password: "any", expiresAt: Date.now() + 60_000 });
    for (const factory of [lib.glide, lib.iovalkey]) {
      const cache = lib.createCache({ location: ${JSON.stringify(server.url)}, connectionFactory: factory({ credentials }) });
      await cache.get("a");
      await cache.close();
    }
  `);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
