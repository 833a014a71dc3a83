import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { outsideInvocation } from "../../src/connection/deferred.js";
import { toMs } from "../../src/core/time.js";
import { cachedHandler } from "../../src/fetch/index.js";
import {
  type Cache,
  type CacheOptions,
  createCache,
  glide,
  glideCluster,
  herd,
  iovalkey,
  nearCache,
} from "../../src/index.js";
import { tlsArguments } from "../support/certificates.js";
import { cli } from "../support/cli.js";
import { documented, importBlock } from "../support/docs.js";
import { freePort, HOST } from "../support/ports.js";
import { build, root } from "../support/project.js";
import { startProxy } from "../support/proxy.js";
import { startValkey, type ValkeyOptions } from "../support/servers.js";
import { until } from "../support/wait.js";

const url = inject("valkeyUrl");
const page = readFileSync(join(root, "docs", "troubleshooting.md"), "utf8");

interface Section {
  readonly heading: string;
  readonly text: string;
  /** The messages that it shows. */
  readonly messages: readonly string[];
}

const sections: Section[] = page
  .split(/^### /m)
  .slice(1)
  .map((part) => {
    const [heading = ""] = part.split("\n", 1);
    const text = part.replace(/^## .*/ms, "");
    return {
      heading,
      text,
      messages: [...text.matchAll(/```text\n(.*?)```/gs)].flatMap(([, code = ""]) => lines(code)),
    };
  });

function lines(code: string): string[] {
  return code.split("\n").filter((line) => line !== "");
}

/** Compares with a message of the page, in which `…` stands for any text. */
function matching(message: string): RegExp {
  const fixed = message.split("…").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${fixed.join(".+")}`, "s");
}

type Options = Partial<CacheOptions>;

/** The message with which a call fails. */
async function failure(options: Options, call: (cache: Cache) => unknown = (cache) => cache.get("a")): Promise<string> {
  await using cache = createCache({ location: url, keyPrefix: "troubles", logger: false, ...options });
  const error: unknown = await (async () => call(cache))().catch((thrown: unknown) => thrown);
  return error instanceof Error ? error.message : `no error, but ${String(error)}`;
}

/** The first error that goes to `onError`. */
async function reported(options: Options, call: (cache: Cache) => Promise<unknown>, part: string): Promise<string> {
  const messages: string[] = [];
  const onError = (error: unknown) => void messages.push(String(Reflect.get(Object(error), "message")));
  await using cache = createCache({ location: url, keyPrefix: "troubles", ...options, onError });
  const look = async () => {
    await call(cache);
    return messages.find((message) => message.includes(part));
  };
  return await until(look, { what: `a report of ${part}` });
}

async function withServer<T>(
  args: ValkeyOptions["args"],
  use: (location: string, port: number) => Promise<T>,
): Promise<T> {
  await using server = await startValkey({ args: args ?? [] });
  return await use(server.url, server.port);
}

/** Sends a command to a server over a connection of its own. */
async function command(location: string, ...words: [string, ...string[]]): Promise<void> {
  await using admin = createCache({ location });
  const [reply] = await admin.connection.send([words]);
  if (reply instanceof Error) throw reply;
}

const nowhere = async () => ({ location: `valkey://${HOST}:${await freePort()}` });

async function withTls<T>(use: (port: number) => Promise<T>): Promise<T> {
  const port = await freePort();
  return withServer(tlsArguments(port), () => use(port));
}

/** How each message of the page is brought about, by the heading of its section. */
const provoked: Readonly<Record<string, () => Promise<string | readonly string[]>>> = {
  "Connection refused": async () => failure(await nowhere()),
  "Host not found": () => failure({ location: "valkey://nowhere.invalid" }),
  "Wrong password": () =>
    withServer(["--requirepass", "right"], (location) => failure({ location, password: "wrong" })),
  "Password missing": () => withServer(["--requirepass", "right"], (location) => failure({ location })),
  "No permission for a command": () =>
    withServer([], async (location) => {
      await command(location, "ACL", "SETUSER", "app", "on", ">p", "~*", "+@all", "-scan");
      return failure({ location, username: "app", password: "p" }, (cache) => cache.keys());
    }),
  "No permission for a key": () =>
    withServer([], async (location) => {
      await command(location, "ACL", "SETUSER", "app", "on", ">p", "~shop:*", "+@all");
      return failure({ location, username: "app", password: "p" });
    }),
  "The server is a read-only replica": () =>
    withServer(["--replicaof", HOST, String(new URL(url).port)], (location) =>
      failure({ location }, (cache) => cache.set("a", 1)),
    ),
  "A cluster, and the wrong connection factory": async () => {
    const [node = ""] = inject("clusterUrl").split(",");
    const moved = async (cache: Cache) => {
      for (let key = 0; key < 100; key++) await cache.get(`${key}`);
    };
    const alone = withServer(["--cluster-enabled", "yes"], (location) =>
      failure({ location, connectionFactory: iovalkey() }),
    );
    return [await failure({ location: node, connectionFactory: glide() }, moved), await alone];
  },
  "No cluster, and glideCluster()": () => failure({ connectionFactory: glideCluster() }),
  "Memory is full": () =>
    withServer(["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"], (location) =>
      failure({ location }, async (cache) => {
        for (let key = 0; key < 20; key++) await cache.set(`${key}`, "a".repeat(200_000));
      }),
    ),
  "Plain text to a TLS port": () => withTls((port) => failure({ location: `valkey://${HOST}:${port}` })),
  "TLS to a plain port, or no answer": () =>
    withServer([], (_location, port) =>
      failure({ location: `valkeys://${HOST}:${port}`, connectTimeout: "300ms", commandTimeout: "300ms" }),
    ),
  "The certificate is not trusted": () => withTls((port) => failure({ location: `valkeys://${HOST}:${port}` })),
  "No answer in time": async () => {
    await using proxy = await startProxy({ port: Number(new URL(url).port) });
    const options = { location: proxy.url, connectionFactory: iovalkey({ commandTimeout: "250ms" }) };
    return await failure(options, async (cache) => {
      await cache.get("a");
      proxy.pause();
      await cache.get("a");
    });
  },
  "Calls fail at once": async () =>
    failure(await nowhere(), async (cache) => {
      await cache.get("a").catch(() => {});
      await cache.get("a");
    }),
  "The cache was closed": () =>
    failure({}, async (cache) => {
      await cache.close();
      await cache.get("a");
    }),
  "The location has no scheme": async () => thrown(() => createCache({ location: "localhost:6379" })),
  "The value can't be stored": () => failure({}, (cache) => cache.set("a", new Map())),
  "undefined can't be stored": () => failure({}, (cache) => cache.set("a", undefined)),
  "The stored bytes can't be read": () =>
    failure({ location: "memory:" }, async (cache) => {
      await cache.connection.send([["SET", String(cache.makeKey("a")), "{nope"]]);
      await cache.get("a");
    }),
  "The entry has a newer format": () =>
    failure({ location: "memory:", client: herd() }, async (cache) => {
      await cache.connection.send([["SET", String(cache.makeKey("a")), "\x11V9".padEnd(80, "0")]]);
      await cache.get("a");
    }),
  "A lifetime looks like milliseconds": async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    toMs(60_000, "ttl");
    return String(warn.mock.calls[0]?.[0]).replace("valkey-edge-cache: ", "");
  },
  "An option is unknown": async () => thrown(() => createCache({ location: "memory:", prefix: "a" } as never)),
  "A factory is given without its call": async () =>
    thrown(() => createCache({ location: "memory:", client: herd as never })),
  "A loader takes too long": () =>
    failure({ location: "memory:", client: herd() }, (cache) =>
      cache.getOrSet("a", () => new Promise(() => {}), { hardTimeout: "50ms" }),
    ),
  "A loader waits for itself": () =>
    failure({ location: "memory:" }, (cache) => cache.getOrSet("a", () => cache.getOrSet("a", () => 1))),
  "Calls go on without the cache": async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await using cache = createCache({ ...(await nowhere()), ignoreErrors: true });
    await cache.get("a");
    return String(warn.mock.calls[0]?.[0]);
  },
  "Each process loads by itself": () =>
    withServer([], async (location) => {
      await command(location, "ACL", "SETUSER", "app", "on", ">p", "~*", "+@all", "-eval", "-evalsha");
      const options = { location, username: "app", password: "p", client: herd() };
      return reported(options, (cache) => cache.getOrSet("a", () => 1), "without leases");
    }),
  "A call outside of an invocation": async () => {
    const connection = outsideInvocation("valkey://localhost:6379");
    return String(await connection.send([["PING"]]).catch((error: Error) => error.message));
  },
  "An HTTP endpoint as location": async () => thrown(() => createCache({ location: "https://eu1.upstash.example" })),
  "The server refuses to report changes": () =>
    withServer([], async (location) => {
      await command(location, "ACL", "SETUSER", "app", "on", ">p", "~*", "&*", "+@all", "-client|tracking");
      const options = { location, username: "app", password: "p", nearCache: nearCache() };
      return reported(options, (cache) => cache.get("a"), "near cache");
    }),
};

function thrown(make: () => Cache): string {
  try {
    make();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "no error";
}

/** Messages of hosts and bundles that other test files bring about: their fixed parts are in the sources. */
const inSources = [
  "An optional package is missing",
  "valkey-glide is not in the bundle",
  "valkey-glide can't be loaded",
  "valkey-glide needs a home directory",
  "No TCP on this host",
  "It can't hear of changes",
];
/** What the sources have as expressions, besides what differs. */
const EXPRESSIONS = /…|msgpack\(\)|msgpackr|@valkey\/valkey-glide/;
/** Messages that are brought about below, or by test/tools/docs-testing.test.ts. */
const elsewhere = ["Jest can't load the package"];

const withMessages = sections.filter(({ messages }) => messages.length > 0);

beforeAll(() => build(), 120_000);

it("the page has more than 25 messages, and each is provoked, in the sources, or tested elsewhere", () => {
  expect(withMessages.length).toBeGreaterThan(25);
  const known = [...Object.keys(provoked), ...inSources, ...elsewhere];
  expect(withMessages.map(({ heading }) => heading).sort()).toEqual(known.sort());
});

it("every section ends with a page that explains", () => {
  for (const { heading, text } of sections) expect(text.trim(), heading).toMatch(/→ \[[^\]]+\]\([^)]+\)(?:, \[.+\))?$/);
});

describe("a symptom of docs/troubleshooting.md is what the library says:", () => {
  it.each(Object.entries(provoked))("%s", async (heading, provoke) => {
    const { messages = [] } = sections.find((section) => section.heading === heading) ?? {};
    const said = [await provoke()].flat();
    expect(said).toHaveLength(messages.length);
    for (const [i, message] of messages.entries()) expect(said[i]).toMatch(matching(message));
  });

  it.each(inSources)("%s", (heading) => {
    const { messages = [] } = sections.find((section) => section.heading === heading) ?? {};
    const files = globSync("src/**/*.ts", { cwd: root });
    const text = files.map((file) => readFileSync(join(root, file), "utf8")).join("\n");
    const parts = messages.flatMap((message) => message.split(EXPRESSIONS)).filter((part) => part.trim().length > 5);
    expect(parts.length).toBeGreaterThan(0);
    for (const part of parts) expect(text).toContain(part);
  });
});

describe("a reason in Cache-Status", () => {
  const max = { "cache-control": "max-age=60" };
  const get = (fields: Record<string, string> = {}, init: RequestInit = {}, path = "/a") =>
    new Request(`http://shop.example${path}`, { headers: fields, ...init });
  type Case = readonly [
    detail: string,
    request: Request,
    fields: Record<string, string>,
    status?: number,
    body?: string,
  ];
  const cases: readonly Case[] = [
    ["no-lifetime", get(), {}],
    ["no-store", get(), { "cache-control": "no-store" }],
    ["private", get(), { "cache-control": "private, max-age=60" }],
    ["authorization", get({ authorization: "Bearer a" }), max],
    ["set-cookie", get(), { "set-cookie": "a=1", "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT" }],
    ["vary", get(), { ...max, vary: "*" }],
    ["status", get(), max, 201],
    ["stream", get(), { ...max, "content-type": "text/event-stream" }],
    ["too-large", get(), { ...max, "content-length": "2000" }, 200, "a".repeat(2_000)],
    ["useless", get(), { "cache-control": "max-age=0, must-revalidate" }],
    ["cookie", get({ cookie: "session=1" }), max],
    ["method", get({}, { method: "OPTIONS" }), max],
    ["method-override", get({ "x-http-method-override": "DELETE" }), max],
    ["body", get({ "content-length": "5" }), max],
    ["upgrade", get({ upgrade: "websocket" }), max],
    ["precondition", get({ "if-match": '"a"' }), max],
    ["url", get({}, {}, `/${"a".repeat(300)}`), max],
    ["url", new Request("http://other.example/"), max],
  ];

  const named = cases.map(([detail, request, headers, status = 200, body = "a"]) => ({
    detail,
    request,
    headers,
    status,
    body,
  }));

  it.each(named)("is $detail where the page says so", async ({ detail, request, headers, status, body }) => {
    const cache = createCache({ location: "memory:" });
    onTestFinished(() => cache.close());
    const handler = () => new Response(body, { status, headers });
    const limits = { maxBodySize: 1_000, maxUrlLength: 200, hosts: ["shop.example"], cacheableStatusCodes: [200] };
    const cached = cachedHandler(handler, { cache, debug: true, ...limits });
    const said = (await cached(request)).headers.get("cache-status") ?? "";
    expect(said).toMatch(new RegExp(`^valkey-edge-cache; fwd=.*; detail=${detail}$`));
    expect(page).toContain(`| \`${detail}\` |`);
  });

  it("stands as the page shows it", async () => {
    const cache = createCache({ location: "memory:" });
    onTestFinished(() => cache.close());
    const cached = cachedHandler(() => new Response("a"), { cache, debug: true });
    const shown = /^valkey-edge-cache; fwd=.*$/m.exec(page)?.[0] ?? "";
    expect((await cached(get())).headers.get("cache-status")).toMatch(matching(shown));
  });
});

it("the first block shows how the cache is connected, and the doctor finds a server that is gone", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const block = documented("troubleshooting.md", "cache.health()");
  const { cache, state } = await importBlock<{ cache: AsyncDisposable; state: string }>(block, {
    "valkey://localhost:6379": url,
  });
  onTestFinished(() => cache[Symbol.asyncDispose]());
  expect(state).toBe("closed");
  expect(log.mock.calls[0]).toEqual(["connection", "opened", ""]);
  const { location } = await nowhere();
  const [, command = ""] = /^npx valkey-edge-cache (.*)$/m.exec(page) ?? [];
  const args = command.replace("valkey://localhost:6379", location).split(" ");
  const { code, stdout } = await cli(args);
  expect([code, stdout]).toEqual([4, expect.stringContaining("ECONNREFUSED")]);
});
