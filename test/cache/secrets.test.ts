import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CacheOptions, createCache, createCaches, glide, glideCluster, memory } from "../../src/index.js";
import { startValkey } from "../support/servers.js";

/** A word that stands in no message by chance. */
const word = fc.stringMatching(/^[g-z]{2}[0-9][g-z]{5}$/);
const special = fc.constantFrom(..."@:/?#[]%,;&=+ !$'()*\\\"<>|{}^`~é🗝", "\t", "\n", "%2", "%zz", "://", ",b:c", "@@");

/** A password, and the words in it, of which none may be seen. */
const password = fc
  .array(fc.tuple(word, special), { minLength: 1, maxLength: 4 })
  .chain((parts) => word.map((last) => ({ text: parts.map((part) => part.join("")).join("") + last })))
  .map(({ text }) => ({ text, words: text.match(/[g-z]{2}[0-9][g-z]{5}/g) ?? [] }));

/** URLs that are in order, and many that are not. */
const URLS: ((password: string) => unknown)[] = [
  (p) => `valkey://user:${p}@127.0.0.1:1`,
  (p) => `valkeys://:${p}@127.0.0.1:1/0`,
  (p) => `redis://user:${p}@127.0.0.1:99999`,
  (p) => `valkey://user:${p}@127.0.0.1:port`,
  (p) => `valkey://user:${p}@127.0.0.1/database`,
  (p) => `valkey://user:${p}@127.0.0.1/1?db=2`,
  (p) => `valkey://user:${p}@127.0.0.1?protocol=9`,
  (p) => `valkey://user:${p}@127.0.0.1?unknown=1`,
  (p) => `valkey://user:${p}@`,
  (p) => `valkey://user:${p}@:6379`,
  (p) => `http://user:${p}@127.0.0.1`,
  (p) => `valkeyy://user:${p}@127.0.0.1`,
  (p) => `user:${p}@127.0.0.1:6379`,
  (p) => `:${p}@127.0.0.1`,
  (p) => `valkey:user:${p}@127.0.0.1`,
  (p) => `valkey:/user:${p}@127.0.0.1`,
  (p) => `//user:${p}@127.0.0.1`,
  (p) => `unix://user:${p}@`,
  (p) => `unix://user:${p}@localhost/`,
  (p) => `memory://user:${p}@127.0.0.1`,
  (p) => [`valkey://user:${p}@127.0.0.1:1`, "valkey://127.0.0.2:1"],
  (p) => ["valkey://127.0.0.2:1", `valkey://user:${p}@127.0.0.1:1`],
  (p) => `valkey://127.0.0.2:1,valkey://user:${p}@127.0.0.1:1`,
  (p) => [`valkey://user:${p}@127.0.0.1:1`, "memory:"],
  (p) => [`valkey://user:${p}@127.0.0.1:1`, 5],
];

/** Forms without an `@`, in which only what can't be a port is told from one. */
const BARE: ((password: string) => unknown)[] = [
  (p) => `valkey://user:${p}`,
  (p) => `valkey://:${p}`,
  (p) => `user:${p}`,
  (p) => `valkey://127.0.0.1:port?password=${p}`,
  (p) => `valkey://127.0.0.1?password=${p}`,
  (p) => `valkey://127.0.0.1/one?password=${p}`,
];

const FACTORIES = [undefined, glide(), glideCluster(), memory()];

/** All that a person may see of what happened: the error, its stack, its causes; or the cache. */
function traces(make: () => unknown): string {
  try {
    return inspect(make(), { depth: 10, showHidden: false }) + JSON.stringify(make(), (_, value) => plain(value));
  } catch (error) {
    return everything(error);
  }
}

function everything(error: unknown): string {
  const seen = [inspect(error, { depth: 10 }), String(error)];
  for (let at: unknown = error; at instanceof Error; at = at.cause) seen.push(at.message, at.stack ?? "");
  return seen.join("\n");
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" || value === Number.POSITIVE_INFINITY ? String(value) : value;
}

describe("a password is in no message", () => {
  it.each(URLS.map((url) => [String(url("…")), url] as const))("of a location such as %s", (_, url) => {
    fc.assert(
      fc.property(password, fc.boolean(), ({ text, words }, encoded) => {
        const location = url(encoded ? encodeURIComponent(text) : text) as string;
        for (const connectionFactory of FACTORIES) {
          const options = connectionFactory ? { location, connectionFactory } : { location };
          const seen = traces(() => createCache(options));
          for (const word of words) expect(seen).not.toContain(word);
        }
      }),
    );
  });

  it.each(BARE.map((url) => [String(url("…")), url] as const))("of a location such as %s", (_, url) => {
    fc.assert(
      fc.property(word, (secret) => {
        expect(traces(() => createCache({ location: url(secret) as string }))).not.toContain(secret);
      }),
    );
  });

  it.each<[string, (secret: string) => unknown]>([
    ["options that are a URL", (p) => createCache(`valkey://u:${p}@h` as unknown as CacheOptions)],
    ["aliases that are a URL", (p) => createCaches(`valkey://u:${p}@h` as unknown as Record<string, CacheOptions>)],
    ["an alias whose options are a URL", (p) => createCaches({ a: `valkey://u:${p}@h` as unknown as CacheOptions })],
    ["a factory's options that are a URL", (p) => glide(`valkey://u:${p}@h` as never)],
    ["a password that is a list", (p) => createCache({ location: "valkey://h", password: [p] as unknown as string })],
    ["a wrong option beside it", (p) => createCache({ location: "valkey://h", password: p, commandTimeout: -1 })],
    ["an unknown option beside it", (p) => glide({ password: p, wrong: 1 } as object)],
    [
      "a factory that is a URL",
      (p) => createCache({ location: "memory:", connectionFactory: `redis://:${p}@h` as never }),
    ],
    ["a client that is a URL", (p) => createCache({ location: "memory:", client: `redis://:${p}@h` as never })],
    ["a cache that is printed", (p) => createCache({ location: "valkey://h", password: p, username: "u" })],
    ["several caches that are printed", (p) => createCaches({ a: { location: `valkey://u:${p}@h` } }).a],
    ["a view that is printed", (p) => createCache({ location: `valkey://u:${p}@h` }).for()],
    ["a factory that is printed", (p) => glide({ password: p })],
  ])("of %s", (_, make) => {
    expect(traces(() => make("31415926"))).not.toContain("31415926");
  });

  it("that is a number, not a text", () => {
    const options = { location: "valkey://h", password: 31_415_926 as unknown as string };
    expect(traces(() => createCache(options))).not.toContain("31415926");
    expect(() => createCache(options)).toThrow(/option "password"/);
  });

  it.each([
    ["in the URL", (port: number) => ({ location: `valkey://someone:qq7wrong@127.0.0.1:${port}` })],
    ["as an option", (port: number) => ({ location: `valkey://127.0.0.1:${port}`, password: "qq7wrong" })],
  ])("that the server refuses, given %s", async (_, options) => {
    await using server = await startValkey({ args: ["--requirepass", "qq7right"] });
    await using cache = createCache(options(server.port));
    const seen = everything(await cache.get("a").catch((error: unknown) => error));
    expect(seen).toMatch(/ConnectionError: valkey:\/\/127\.0\.0\.1:\d+ could not be reached: .*(WRONGPASS|auth)/i);
    expect(seen).not.toContain("qq7");
  });

  it("of a server that is not there", async () => {
    await using cache = createCache({ location: "valkey://u:qq7secret@127.0.0.1:1" });
    const seen = everything(await cache.get("a").catch((error: unknown) => error));
    expect(seen).toContain("valkey://127.0.0.1:1");
    expect(seen).not.toContain("qq7");
  });

  it("that is right opens the server all the same, from the URL or as an option, the URL's first", async () => {
    await using server = await startValkey({ args: ["--requirepass", "p@ss:w/rd?#%"] });
    const inUrl = `valkey://:${encodeURIComponent("p@ss:w/rd?#%")}@127.0.0.1:${server.port}`;
    for (const options of [
      { location: inUrl },
      { location: server.url, password: "p@ss:w/rd?#%" },
      { location: inUrl, password: "wrong" },
    ]) {
      await using cache = createCache(options);
      expect(await cache.set("a", 1)).toBe(true);
    }
  });
});
