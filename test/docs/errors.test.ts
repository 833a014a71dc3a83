import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { subpaths } from "../../scripts/reference/contents.mjs";
import { keepsChanging } from "../../src/client/refusals.js";
import { nameFactory } from "../../src/connection/topology.js";
import {
  type Cache,
  createCache,
  define,
  herd,
  iovalkey,
  memory,
  ReplyError,
  type SchemaResult,
  type StandardSchema,
  TimeoutError,
} from "../../src/index.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { documented, importBlock } from "../support/docs.js";
import { freePort } from "../support/ports.js";
import { root } from "../support/project.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";

const url = inject("valkeyUrl");
const server = { port: Number(new URL(url).port) };
const page = readFileSync(join(root, "docs", "errors.md"), "utf8");

/** A message of the page, with the section that it stands in. */
interface Shown {
  readonly section: string;
  readonly message: string;
}

const shown: Shown[] = page.split(/^## /m).flatMap((text) => {
  const section = /^\w+/.exec(text)?.[0] ?? "";
  return [...text.matchAll(/^\| `([^|]*)` \| /gm)].map(([, message = ""]) => ({ section, message }));
});

async function failure(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("the call has not failed");
}

/** Messages name servers of the tests by their ports. */
function asShown(message: string): string {
  return (
    message
      .replaceAll(/valkey:\/\/127\.0\.0\.1:\d+/g, "valkey://localhost:6379")
      .replaceAll(/(?<=ECONNREFUSED 127\.0\.0\.1:)\d+/g, "6379")
      // What the operating system says.
      .replace(/(?<=was lost: ).*(?=; check)/, "…")
  );
}

const local = () => createCache({ location: "memory:", keyPrefix: "shop", client: herd() });
const own = (options: object = {}) => createCache({ location: url, keyPrefix: "shop", ...options });

async function withProxy(use: (cache: Cache, proxy: TcpProxy) => Promise<unknown>): Promise<void> {
  await using proxy = await startProxy(server);
  // iovalkey leaves the deadline to the library; valkey-glide has one of its own.
  await using cache = createCache({ location: proxy.url, connectionFactory: iovalkey({ commandTimeout: "250ms" }) });
  await cache.get("a");
  await use(cache, proxy);
}

async function withServer(use: (admin: Cache, location: string) => Promise<void>): Promise<void> {
  await using server = await startValkey();
  await using admin = createCache({ location: server.url });
  await use(admin, server.url);
}

async function countUp(value: unknown, tags: readonly string[] = []): Promise<void> {
  const cache = local();
  await cache.set("visits", value, { tags });
  await cache.incr("visits");
}

function schemaOf(validate: (value: unknown) => SchemaResult<unknown>): StandardSchema<unknown, unknown> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

/** Calls that fail with each message of the page. */
const calls: Readonly<Record<string, () => unknown>> = {
  'herd: unknown option "graze"; known options are: grace, lease, waitTimeout, beta, jitter, retryAfter, background, hardTimeout':
    () => herd({ graze: 60 } as object),
  'createCache: option "ttl" is "5 minutes"; give seconds as a number, a string such as "250ms", "90s", "5m", "2h", "1d", or null to never expire':
    () => createCache({ location: "memory:", ttl: "5 minutes" as "5m" }),
  'location: localhost:6379 has none of the schemes valkey:, valkeys:, redis:, rediss:, unix:, memory:, https:, http:; give a URL such as "valkey://localhost:6379/0" or "memory:"':
    () => createCache({ location: "localhost:6379" }),
  'createCache: option "tls" is given for valkey://localhost:6379, which is plain text; give a valkeys:// or rediss:// URL, or leave the option out':
    () => createCache({ location: "valkey://localhost:6379", tls: { insecure: true } }),
  'createCache: option "commandTimeout" belongs to the connection factory; give it there, such as glide({ commandTimeout: … })':
    () => createCache({ location: "valkey://localhost:6379", commandTimeout: "1s", connectionFactory: iovalkey() }),
  "keys, iterKeys, and clear() of a namespace, need a reverseKeyFunction beside the keyFunction; give createCache one":
    async () => {
      const cache = createCache({ location: "memory:", keyFunction: (key, prefix) => `${prefix}/${key}` });
      await cache.set("a", 1);
      await cache.keys("*");
    },

  "valkey://localhost:6379 could not be reached: connection refused (connect ECONNREFUSED 127.0.0.1:6379); check that it is running, and the location":
    async () => {
      await using cache = createCache({ location: `valkey://127.0.0.1:${await freePort()}` });
      await cache.get("a");
    },
  "valkey://localhost:6379 failed, so calls fail at once until a probe succeeds; the last failure: valkey://localhost:6379 could not be reached: connection refused (connect ECONNREFUSED 127.0.0.1:6379); check that it is running, and the location":
    async () => {
      await using cache = createCache({ location: `valkey://127.0.0.1:${await freePort()}` });
      await failure(() => cache.get("a"));
      await cache.get("a");
    },
  "valkey://localhost:6379 could not be reached: authentication failed: WRONGPASS invalid username-password pair or user is disabled.; check the username and the password":
    async () => {
      await using cache = createCache({ location: url, username: "app", password: "wrong" });
      await cache.get("a");
    },
  "valkey://localhost:6379/99 could not be reached: database 99 can't be selected: ERR DB index is out of range; check the location":
    async () => {
      await using cache = createCache({ location: `valkey://127.0.0.1:${server.port}/99` });
      await cache.get("a");
    },
  "the connection to valkey://localhost:6379 was lost: …; check that it is running": () =>
    withProxy(async (cache, proxy) => {
      proxy.silence();
      const call = cache.incr("a", 1, { ttl: null }).catch((error: unknown) => error);
      proxy.refuse();
      proxy.reset();
      throw await call;
    }),
  "the cache was closed; make a new one with createCache()": async () => {
    const cache = local();
    await cache.close();
    await cache.get("a");
  },

  "valkey://localhost:6379 did not answer within 250 ms; check that it is reachable, or raise commandTimeout": () =>
    withProxy((cache, proxy) => {
      proxy.pause();
      return cache.get("a");
    }),

  "WRONGTYPE Operation against a key holding the wrong kind of value": async () => {
    await using cache = own();
    await cache.sets.add("online", ["ann"]);
    await cache.get("online");
  },
  "NOPERM User app has no permissions to run the 'eval' command; to allow it, run \"ACL SETUSER app +eval +evalsha\" at valkey://localhost:6379":
    () =>
      withServer(async (admin, location) => {
        await admin.connection.send([["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-eval", "-evalsha"]]);
        await using cache = createCache({ location, username: "app", password: "secret" });
        await cache.incr("visits");
      }),
  "OOM command not allowed when used memory > 'maxmemory'.": () =>
    withServer(async (admin) => {
      await admin.connection.send([["CONFIG", "SET", "maxmemory", "1"]]);
      await admin.set("a", 1);
    }),
  "OOM an entry of 2251 bytes does not fit into maxSize, 1000 bytes; give memory() a larger maxSize": () =>
    createCache({ location: "memory:", connectionFactory: memory({ maxSize: 1000 }) }).set("report", "x".repeat(2000)),
  // Without a cluster: what is thrown for the replies that one sends.
  "MOVED 15495 127.0.0.1:7001; a cluster needs the connection factory glideCluster()": async () => {
    throw await nameFactory(new ReplyError("MOVED", "15495 127.0.0.1:7001"), local().connection);
  },
  'TRYAGAIN key "shop:1:user:1": "touch" gave up, as other writers keep replacing the entry\'s tags; retry it': () => {
    throw keepsChanging("shop:1:user:1", "touch");
  },

  'key "shop:1:job": a function can\'t be stored by json: JSON has no form for a function; store plain data; store another value, or choose another serializer':
    () => local().set("job", () => {}),
  'key "shop:1:job": an object can\'t be stored by json: JSON has no form for 1n (at id); give a number or a string, or use structuredClone() or msgpack(); store another value, or choose another serializer':
    () => local().set("job", { id: 1n }),
  'key "shop:1:user:1": the stored bytes were not written by json: The encoded data was not valid for encoding utf-8; delete the key, or use the serializer and compressor that wrote it':
    async () => {
      await using cache = own();
      await using other = own({ serializer: msgpack() });
      await other.set("user:1", { name: "Ann" });
      await cache.get("user:1");
    },
  'key "shop:1:visits": there is no such entry; set it first': () => local().incr("visits"),
  'key "shop:1:visits": what is stored there is no 64-bit integer; set an integer first': () => countUp("many"),
  'key "shop:1:visits": adding 1 leaves the range of 64-bit integers; set a smaller one first': () =>
    countUp(2n ** 63n - 1n),
  'key "shop:1:visits": an entry with tags can\'t be counted up; set it without tags': () => countUp(1, ["home"]),
  'key "shop:1:report": the loader returned no value within 50 ms; make it faster, or raise hardTimeout': () =>
    local().getOrSet("report", () => new Promise(() => {}), { ttl: 60, hardTimeout: "50ms" }),
  'key "shop:1:total": its loader waits for itself ("shop:1:total" → "shop:1:total"); load this value without the cache there':
    () => {
      const cache = local();
      const total = (): Promise<unknown> => cache.getOrSet("total", total, { ttl: 60 });
      return total();
    },
  'key "user:1": the schema refuses the value, which is not stored: name: Expected string, received number; mend what returns it, or the schema':
    () => {
      const issue = { message: "Expected string, received number", path: ["name"] };
      const schema = schemaOf(() => ({ issues: [issue] }));
      const load = async () => ({ name: 1 });
      return define(local(), { key: (id: string) => `user:${id}`, load, schema, ttl: 60 }).get("1");
    },
  'key "event:1": the schema accepts what the loader returns, but refuses what the cache\'s serializer restores of it (at: Expected a Date); use a schema for the stored form, such as z.coerce.date() for a Date under json(), or another serializer':
    async () => {
      const issue = { message: "Expected a Date", path: ["at"] };
      const schema = schemaOf((value) =>
        typeof value === "object" && value && "at" in value && value.at instanceof Date
          ? { value }
          : { issues: [issue] },
      );
      const load = async () => ({ at: new Date() });
      const event = define(local(), { key: (id: string) => `event:${id}`, load, schema, ttl: 60 });
      await event.get("1");
      await event.get("1");
    },
  'key "shop:1:user:1": undefined can\'t be stored, as get() returns it on a miss; store null, or delete the key': () =>
    local().set("user:1", undefined),
  'get: unknown option "defualt"; known options are: version, prefix, default': () =>
    local().get("user:1", { defualt: 1 } as object),
  "loader: 5 is not a function; give one that returns a value": () =>
    local().getOrSet("user:1", 5 as unknown as () => number, { ttl: 60 }),
  'lock "shop:lock:report" was lost: the server has it no more for this holder; stop what it protects': async () => {
    await using cache = own();
    const lock = await cache.lock("report", { ttl: "5s" });
    await cache.connection.send([["DEL", "shop:lock:report"]]);
    await lock?.extend("5s");
    throw lock?.signal.reason;
  },
};

it("every message of docs/errors.md is one that a test provokes, and the other way round", () => {
  expect(shown.map(({ message }) => message).sort()).toEqual(Object.keys(calls).sort());
});

it.each(shown)("docs/errors.md shows under $section: $message", async ({ section, message }) => {
  const error = await failure(() => calls[message]?.());
  const name = error instanceof DOMException ? "DOMException" : error.name;
  expect({ section: name, message: asShown(error.message) }).toEqual({ section, message });
});

it("docs/errors.md has a section and a row for each error class that an entry point exports, and says what it extends", async () => {
  const classes = new Map<string, string>();
  for (const { source } of subpaths()) {
    const module = (await import(/* @vite-ignore */ join(root, "src", source))) as object;
    for (const [name, value] of Object.entries(module)) {
      if (typeof value !== "function" || !(value.prototype instanceof Error)) continue;
      classes.set(name, Object.getPrototypeOf(value).name);
    }
  }
  expect(classes.size).toBeGreaterThan(10);
  const rows = [...page.matchAll(/^\| \[`(\w+)`\]\(#(\w+)\) \| `(\w+)` \|/gm)];
  const foreign = new Set(["TypeError", "DOMException"]);
  expect(
    new Map(rows.map(([, name = "", , base = ""]) => [name, base] as const).filter(([name]) => !foreign.has(name))),
  ).toEqual(classes);
  expect(rows.map(([, , anchor]) => anchor)).toEqual(rows.map(([, name = ""]) => name.toLowerCase()));
  expect([...page.matchAll(/^## (\w+)/gm)].map(([, name]) => name)).toEqual(rows.map(([, name]) => name));
});

it("the first example of docs/errors.md answers without a server, deletes what it can't read, and passes other errors on", async () => {
  interface Example {
    userName(id: string): Promise<string | undefined>;
  }
  const block = documented("errors.md", "userName");
  const over = async (location: string, keyPrefix: string) =>
    importBlock<Example>(block, { "valkey://localhost:6379": location, '"shop"': JSON.stringify(keyPrefix) });
  await using cache = own({ keyPrefix: "errors-example" });
  await using other = own({ keyPrefix: "errors-example", serializer: msgpack() });

  const gone = await over(`valkey://127.0.0.1:${await freePort()}`, "errors-example");
  await expect(gone.userName("1")).resolves.toBeUndefined();

  const { userName } = await over(url, "errors-example");
  await cache.set("name:1", "Ann");
  await expect(userName("1")).resolves.toBe("Ann");
  await other.set("name:1", { first: "Ann" });
  await expect(userName("1")).resolves.toBeUndefined();
  await expect(cache.has("name:1")).resolves.toBe(false);
  await cache.sets.add("name:2", ["Ann"]);
  await expect(userName("2")).rejects.toThrow("WRONGTYPE");
  await cache.clear();
});

it("a signal's reason is what the call rejects with, and AbortSignal.timeout() has one of the name TimeoutError", async () => {
  const call = (signal: AbortSignal) => local().getOrSet("a", () => new Promise(() => {}), { ttl: 60, signal });
  const error = await failure(() => call(AbortSignal.timeout(10)));
  expect(error).toMatchObject({ name: "TimeoutError" });
  expect(error).toBeInstanceOf(DOMException);
  expect(error).not.toBeInstanceOf(TimeoutError);
  await expect(call(AbortSignal.abort("no more"))).rejects.toBe("no more");
});
