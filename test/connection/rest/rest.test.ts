import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { gzip } from "../../../src/compressors/deflate.js";
import { type RestOptions, rest } from "../../../src/connection/rest/factory.js";
import type { Script } from "../../../src/core/connection.js";
import {
  type CacheOptions,
  ConfigurationError,
  ConnectionError,
  createCache,
  createCaches,
  herd,
  ReplyError,
  TimeoutError,
} from "../../../src/index.js";
import { type RestFault, type RestServer, startRestServer } from "../../support/rest-server.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { stopwatch } from "../../support/stopwatch.js";
import { until } from "../../support/wait.js";

let valkey: ValkeyServer;
let endpoint: RestServer;

beforeAll(async () => {
  valkey = await startValkey();
  endpoint = await startRestServer(valkey);
});
afterAll(async () => {
  await endpoint?.stop();
  await valkey?.stop();
});

/** A cache with a connection of its own. */
function open(options: Partial<RestOptions> = {}, { url }: { readonly url: string } = endpoint) {
  const own: RestOptions = { token: endpoint.token, fetch: (to, init) => fetch(to, init), ...options };
  const cache = createCache({ location: url, connectionFactory: rest(own) });
  onTestFinished(() => cache.close());
  return cache;
}

/** The endpoint answers again. */
function mend(): void {
  endpoint.fault = undefined;
}

/** The requests that `work` sends. */
async function requestsOf(work: () => Promise<unknown>) {
  const before = endpoint.requests.length;
  await work();
  return endpoint.requests.slice(before);
}

describe("options of rest()", () => {
  it.each<[string, unknown, RegExp]>([
    ["no options", undefined, /options must be an object/],
    ["no token", {}, /option "token" is missing; give the token of the endpoint/],
    ["an empty token", { token: "" }, /option "token" is missing/],
    ["a token with a line break", { token: "secret\n" }, /option "token" has a character .* such as a line break/],
    [
      "a URL",
      { url: "redis://a.test", token: "secret" },
      /option "url" is "redis:\/\/a.test"; give the https:\/\/ URL/,
    ],
    ["no function as fetch", { token: "secret", fetch: "secret@" }, /option "fetch" is a string \(hidden\)/],
    ["no time", { token: "secret", commandTimeout: 0 }, /option "commandTimeout" is 0; give a duration above 0/],
    ["options of a socket", { token: "secret", tls: {} }, /unknown option "tls"; known options are: url, token, fetch/],
  ])("that are wrong are refused without the token in the message: %s", (_, options, message) => {
    const make = () => rest(options as RestOptions);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
    expect(make).not.toThrow(/secret/);
  });

  it.each([
    [
      "http://cache.test",
      {},
      /would send the token in clear text; give an https:\/\/ URL, or rest\({ allowHttp: true }\)/,
    ],
    ["https://user:secret@cache.test", {}, /has credentials; leave them out, and give rest\(\) the option "token"/],
    ["https://cache.test?_token=secret", {}, /has a query; leave it out/],
    ["https://one.test,https://two.test", {}, /names several endpoints, and rest\(\) has one/],
    ["valkey://cache.test", {}, /rest\(\) can't serve valkey:\/\/cache.test; give the https:\/\/ URL/],
    ["memory:", {}, /rest\(\) can't serve memory:/],
    [
      "https://cache.test",
      { connectionFactory: undefined },
      /give connectionFactory: rest\({ token }\) of valkey-edge-cache\/rest/,
    ],
  ])("and the location have to agree: %s", (location, options, message) => {
    const make = () => createCache({ location, connectionFactory: rest({ token: "t" }), ...options });
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
    expect(make).not.toThrow(/secret/);
  });

  it.each([
    ["https://cache.test", "https://cache.test:443/pipeline"],
    ["https://cache.test:8443/redis/", "https://cache.test:8443/redis/pipeline"],
    ["http://localhost:8079", "http://localhost:8079/pipeline"],
    ["http://[::1]:8079", "http://[::1]:8079/pipeline"],
    ["http://srh", "http://srh:80/pipeline"],
  ])("with the location %s send requests to %s", async (location, url) => {
    const send = vi.fn(async () => new Response('[{"result":null}]'));
    const connectionFactory = rest({ token: "t", fetch: send, allowHttp: true });
    await using cache = createCache({ location, connectionFactory });
    expect(await cache.get("a")).toBeUndefined();
    expect(send).toHaveBeenCalledExactlyOnceWith(url, expect.objectContaining({ method: "POST", redirect: "manual" }));
  });

  it("take the URL themselves, and then the cache takes no location", async () => {
    const send = vi.fn(async () => new Response('[{"result":null}]'));
    const connectionFactory = rest({ url: "https://cache.test", token: "t", fetch: send });
    const caches = createCaches(
      { far: { connectionFactory }, near: { location: "memory:" } },
      { location: "valkey://gone.test" },
    );
    expect(await caches.far.get("a")).toBeUndefined();
    expect(send).toHaveBeenCalledExactlyOnceWith("https://cache.test:443/pipeline", expect.anything());
    expect(await caches.near.health()).toMatchObject({ transport: "memory" });
    await caches.close();
    const options: object = { location: "https://cache.test", connectionFactory };
    expect(() => createCache(options as CacheOptions)).toThrow(
      /option "location" is given beside a connection factory/,
    );
  });

  it("say what the transport is", async () => {
    const cache = open();
    expect(await cache.health()).toMatchObject({ state: "closed", transport: "rest" });
  });
});

describe("requests of rest()", () => {
  it("are one for each call, and one for a hit of getOrSet", async () => {
    const cache = open();
    await cache.set("one", 1);
    expect(await requestsOf(() => cache.get("one"))).toHaveLength(1);
    expect(await requestsOf(() => cache.getOrSet("one", () => 2))).toHaveLength(1);
    expect(await requestsOf(() => cache.set("one", 2))).toHaveLength(1);
    expect(await requestsOf(() => cache.mget(["one", "two"]))).toHaveLength(1);
  });

  it("under herd() are one for a hit, and two for the first caller of a missing key", async () => {
    await using cache = createCache({
      location: endpoint.url,
      client: herd(),
      connectionFactory: rest({ token: endpoint.token }),
    });
    const load = () => cache.getOrSet("herded", () => "x");
    expect(await requestsOf(load)).toHaveLength(2);
    expect(await requestsOf(load)).toHaveLength(1);
  });

  it("carry all commands of one turn, and one turn's transactions in their place", async () => {
    const cache = open();
    await cache.has("anything");
    const many = Array.from({ length: 50 }, (_, i) => cache.get(`key ${i}`));
    expect(await requestsOf(() => Promise.all(many))).toEqual([{ path: "/pipeline", commands: Array(50).fill("GET") }]);
    const { connection } = cache;
    const sent = await requestsOf(() =>
      Promise.all([
        connection.send([["SET", "t", "1"]]),
        connection.send(
          [
            ["INCR", "t"],
            ["INCR", "t"],
          ],
          { atomic: true },
        ),
        connection.send([["GET", "t"]]),
      ]),
    );
    expect(sent.map(({ path, commands }) => [path, ...commands])).toEqual([
      ["/pipeline", "SET"],
      ["/multi-exec", "INCR", "INCR"],
      ["/pipeline", "GET"],
    ]);
    expect(new TextDecoder().decode((await connection.send([["GET", "t"]]))[0] as Uint8Array)).toBe("3");
  });

  it("send the digest of a script that the server has", async () => {
    const { connection } = open();
    const script: Script = { name: "two", lua: "return 1 + 1" };
    const run = () => connection.script(script, [], []);
    expect((await requestsOf(run))[0]?.commands).toEqual(["EVAL"]);
    expect((await requestsOf(run))[0]?.commands).toEqual(["EVALSHA"]);
  });
});

describe("bytes over rest()", () => {
  const ALL = Uint8Array.from({ length: 256 }, (_, i) => i);
  // Text that looks like packed bytes stays what it is.
  const LIKE_PACKED = "\u0100\u01ff\u017f";

  it("arrive beside text that has the characters of packed bytes", async () => {
    const { connection } = open();
    const [, all, text] = await connection.send([
      ["MSET", "all", ALL, "text", LIKE_PACKED],
      ["GET", "all"],
      ["GET", "text"],
    ]);
    expect(all).toEqual(ALL);
    expect(text).toEqual(new TextEncoder().encode(LIKE_PACKED));
    expect(
      await connection.send([
        ["SET", "text", LIKE_PACKED],
        ["GET", "text"],
      ]),
    ).toEqual(["OK", text]);
  });

  it("reach scripts, by source and by digest, and an EVAL of the caller's own", async () => {
    const { connection } = open();
    const script: Script = { name: "echo", lua: "return {KEYS[1], ARGV[1], ARGV[2]}" };
    const expected = [new TextEncoder().encode("ключ"), ALL, new TextEncoder().encode(LIKE_PACKED)];
    for (let run = 0; run < 2; run++)
      expect(await connection.script(script, ["ключ"], [ALL, LIKE_PACKED])).toEqual(expected);
    expect(await connection.send([["EVAL", script.lua, "1", "ключ", ALL, LIKE_PACKED]])).toEqual([expected]);
  });

  it("leave errors with their codes, and a stored OK is no status", async () => {
    const { connection } = open();
    const replies = await connection.send([
      ["DEL", "set", "ok"],
      ["SADD", "set", ALL],
      ["APPEND", "set", ALL],
      ["SET", "ok", "OK"],
      ["GET", "ok"],
    ]);
    expect(replies[2]).toMatchObject({ code: "WRONGTYPE" });
    expect(replies.slice(3)).toEqual(["OK", Uint8Array.of(0x4f, 0x4b)]);
  });

  it("of one megabyte go in and out, compressed values too", async () => {
    await using cache = createCache({
      location: endpoint.url,
      compressor: gzip(),
      client: herd(),
      connectionFactory: rest({ token: endpoint.token }),
    });
    const numbers = Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 1_000_003);
    expect(await cache.getOrSet("numbers", () => numbers)).toEqual(numbers);
    expect(await cache.get("numbers")).toEqual(numbers);
  });

  it("turn lone surrogates into what UTF-8 has for them", async () => {
    const { connection } = open();
    const [, reply] = await connection.send([
      ["SET", "lone", "a\ud800"],
      ["GET", "lone"],
    ]);
    expect(reply).toEqual(new TextEncoder().encode("a\ufffd"));
  });
});

describe("an endpoint in trouble", () => {
  /** The error of one call, of which the endpoint has its fault. */
  async function errorOf(fault: RestFault, options: Partial<RestOptions> = {}): Promise<Error> {
    const cache = open(options);
    endpoint.fault = fault;
    onTestFinished(mend);
    return cache.connection.send([["INCR", "n"]]).then(
      ([reply]) => (reply instanceof ReplyError ? reply : new Error(`answered ${String(reply)}`)),
      (error: Error) => error,
    );
  }

  it.each<[string, number, string, RegExp]>([
    [
      "a wrong token",
      401,
      '{"error":"Unauthorized"}',
      /refuses the token; check the option token of rest\(\) \(status 401: "Unauthorized"\)/,
    ],
    [
      "too many requests",
      429,
      '{"error":"slow down"}',
      /limits requests; send fewer, or raise the limit of its plan \(status 429/,
    ],
    ["a failing server", 500, "", /failed; check that it is running, and the server behind it \(status 500/],
    ["a page of a proxy", 502, "<html>Bad Gateway</html>", /failed; .*\(status 502: "<html>Bad Gateway<\/html>"\)/],
    [
      "a page in the place of replies",
      200,
      "<html>Hi</html>",
      /gave no replies; check that the location is an Upstash-compatible/,
    ],
    ["no such path", 404, '{"error":"Not Found"}', /gave no replies; .*\(status 404/],
    ["a redirect", 302, "", /gave no replies; .*\(status 302/],
    ["too few replies", 200, "[]", /gave no replies/],
    ["replies of another form", 200, '[{"result":{"a":1}}]', /gave no replies/],
    ["strings that are no base64", 200, '[{"result":"*"}]', /gave no replies/],
  ])("is a ConnectionError with a remedy: %s", async (_, status, body, message) => {
    const error = await errorOf({ kind: "answer", status, body });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain(endpoint.token);
  });

  it.each<[string, number, string, Partial<ReplyError>]>([
    [
      "refused requests",
      400,
      '{"error":"ERR max daily request limit exceeded"}',
      { code: "ERR", detail: "max daily request limit exceeded" },
    ],
    ["read-only tokens", 400, '{"error":"NOPERM no permission"}', { code: "NOPERM" }],
    [
      "requests that are too large",
      413,
      "Too Large",
      { code: "ERR", detail: expect.stringMatching(/too large .* store smaller values/) },
    ],
  ])("has a ReplyError in the place of the reply for %s, and stays in use", async (_, status, body, error) => {
    expect(await errorOf({ kind: "answer", status, body })).toMatchObject({ name: "ReplyError", ...error });
    endpoint.fault = undefined;
    expect(await open().connection.send([["PING"]])).toEqual(["PONG"]);
  });

  it.each<RestFault["kind"]>(["mute", "slow body"])("that is %s ends a call in time, and its request", async (kind) => {
    const took = stopwatch();
    const error = await errorOf({ kind } as RestFault, { commandTimeout: "100ms" });
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.message).toMatch(/did not answer within 100 ms; check that it is reachable, or raise commandTimeout/);
    expect(took()).toBeLessThan(1_000);
    await until(() => endpoint.open === 0, { what: "the request to end" });
  });

  it("that cuts a body off is a ConnectionError, and reads are retried once", async () => {
    expect(await errorOf({ kind: "cut" })).toBeInstanceOf(ConnectionError);
    endpoint.fault = undefined;
    let failing = 1;
    const cache = open({
      fetch: (url, init) => (failing-- > 0 ? Promise.reject(new TypeError("fetch failed")) : fetch(url, init)),
    });
    expect(await cache.get("missing")).toBeUndefined();
  });

  it("is not asked while the circuit is open, and is again when it has recovered", async () => {
    const cache = open({ commandTimeout: "100ms" });
    endpoint.fault = { kind: "answer", status: 503, body: "" };
    for (let call = 0; call < 3; call++) await expect(cache.get("a")).rejects.toThrow(/status 503/);
    expect(await requestsOf(() => cache.get("a").catch(() => {}))).toEqual([]);
    expect(await cache.getOrSet("a", () => "loaded").catch(String)).toBe("loaded");
    endpoint.fault = undefined;
    await until(async () => (await cache.health()).state === "closed", { what: "the circuit to close" });
  });

  it("that is gone says why, and close() ends requests in progress", async () => {
    const gone = open({}, { url: "http://127.0.0.1:1" });
    await expect(gone.get("a")).rejects.toThrow(/could not be reached: .+; check that it is running/);
    const cache = open({ commandTimeout: "200ms" });
    endpoint.fault = { kind: "mute" };
    onTestFinished(mend);
    const call = cache.get("a").catch((error: unknown) => error);
    await until(() => endpoint.open > 0, { what: "the request" });
    await cache.close();
    expect(await call).toBeInstanceOf(ConnectionError);
    await until(() => endpoint.open === 0, { what: "the request to end" });
  });
});

describe("serverless-redis-http, which encodes each string", () => {
  it("serves values, bytes, scripts, transactions and errors", async () => {
    await using srh = await startRestServer(valkey, { style: "serverless-redis-http" });
    const cache = createCache({ location: srh.url, client: herd(), connectionFactory: rest({ token: srh.token }) });
    onTestFinished(() => cache.close());
    expect(await cache.getOrSet("srh", () => ({ a: "é" }))).toEqual({ a: "é" });
    expect(await cache.get("srh")).toEqual({ a: "é" });
    const bytes = Uint8Array.of(0, 255);
    const { connection } = cache;
    expect(await connection.send([["SET", "b", bytes], ["GET", "b"], ["TYPE", "b"], ["PING"]])).toEqual([
      "OK",
      bytes,
      "string",
      "PONG",
    ]);
    expect(
      await connection.send(
        [
          ["SET", "b", "1"],
          ["INCR", "b"],
        ],
        { atomic: true },
      ),
    ).toEqual(["OK", 2]);
    expect(await connection.send([["SADD", "b", "1"]])).toMatchObject([{ code: "WRONGTYPE" }]);
    const wrong = connection.send([["SET", "b", "3"], ["NOSUCHCOMMAND"]], { atomic: true });
    await expect(wrong).rejects.toMatchObject({ code: "EXECABORT" });
  });
});

it("where hosts keep requests apart, each view of a cache has its requests of its own", async () => {
  vi.stubGlobal("EdgeRuntime", "edge-runtime");
  await using cache = createCache({
    location: endpoint.url,
    client: herd(),
    connectionFactory: rest({ token: endpoint.token }),
  });
  await expect(cache.get("a")).rejects.toThrow(/inside the handler use cache.for/);
  await using one = cache.for({});
  await using other = cache.for({});
  const sent = await requestsOf(() => Promise.all([one.get("a"), one.get("b"), other.get("a")]));
  expect(sent.map(({ commands }) => commands.length).sort()).toEqual([1, 2]);
});
