import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "iovalkey";
import { describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { markOf, readEnvelope, seal } from "../../src/codec/envelope.js";
import { tagged } from "../../src/codec/tagged.js";
import { brotli } from "../../src/compressors/brotli.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import { toBytes, toText } from "../../src/core/text.js";
import { cachedHandler } from "../../src/fetch/index.js";
import { indexRecord, responseRecord, uncacheableRecord } from "../../src/http/record.js";
import { type Cache, createCache, herd, json, nearCache } from "../../src/index.js";
import { fleetKeys } from "../../src/inspect/fleet-summaries.js";
import { toFrame } from "../../src/next/frame.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";
import { recordOf } from "../../src/tags/records.js";
import { documented, importBlock } from "../support/docs.js";
import { HOST } from "../support/ports.js";
import { root } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

const page = readFileSync(join(root, "docs", "stored-bytes.md"), "utf8");

/** The cells of a table's rows, by the first words of its header. Code loses its backticks. */
function table(header: string): string[][] {
  const start = page.indexOf(`\n| ${header}`);
  if (start < 0) throw new Error(`docs/stored-bytes.md has no table with ${header}`);
  const [, , ...rows] = (page.slice(start + 1).split("\n\n")[0] ?? "").split("\n");
  return rows.map((row) =>
    row
      .replace(/^\| | \|$/g, "")
      .split(" | ")
      .map((cell) => (/^`[^`]*`$/.test(cell) ? cell.slice(1, -1) : cell)),
  );
}

const own = (prefix: string, options: object = {}) =>
  createCache({ location: inject("valkeyUrl"), keyPrefix: prefix, ...options });

async function stored(cache: Cache, key: string): Promise<Uint8Array> {
  const [reply] = await cache.connection.send([["GET", String(cache.makeKey(key))]]);
  if (typeof reply !== "string" && !(reply instanceof Uint8Array)) throw new Error(`${key} has no bytes`);
  return toBytes(reply);
}

/** The bytes that a cell of a table names: `4–18`, or `56–` to the end. */
function slice(bytes: Uint8Array, range: string): Uint8Array {
  const [first = "", last] = range.split("–");
  return bytes.subarray(Number(first), last ? Number(last) + 1 : last === undefined ? Number(first) + 1 : undefined);
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex").match(/../g)?.join(" ");

it("the first example of docs/stored-bytes.md prints what the page says, but for times and random characters", async () => {
  const lines: string[] = [];
  vi.spyOn(console, "log").mockImplementation((...words) => void lines.push(words.join(" ")));
  await using server = await startValkey();
  await importBlock(documented("stored-bytes.md", "storedKey"), { "valkey://localhost:6379": server.url });
  const printed = documented("stored-bytes.md", 'shop:1:visits "41"').code.trim();
  const masked = (text: string) => text.replace(/(?<=V1W)\d{15}/, "TIME").replace(/(?<=T)[\w+/]{8}(?=0{15})/, "EPOCH");
  expect(masked(printed)).toContain("TIME");
  expect(masked(printed)).toContain("EPOCH");
  expect(masked(lines.join("\n"))).toBe(masked(printed));
});

it("keys are those of the page", async () => {
  await using server = await startValkey();
  await using cache = createCache({ location: server.url, keyPrefix: "shop" });
  await cache.set("user:1", 1);
  await cache.namespace("eu").set("user:1", 1);
  const lock = await cache.lock("report", { ttl: 60 });
  await cache.purgeTags(["news"]);
  const handler = cachedHandler(
    async ({ url }: Request) => {
      const vary = url.endsWith("menu") ? "accept-language" : "accept";
      return new Response("hi", {
        headers: { "cache-control": "max-age=60", ...(url.endsWith("cart") ? {} : { vary }) },
      });
    },
    { cache },
  );
  for (const path of ["cart", "menu"]) await (await handler(new Request(`https://shop.example/${path}`))).text();
  const keys = await until(
    async () => {
      const [reply = null] = await cache.connection.send([["KEYS", "*"]]);
      const names = Array.isArray(reply) ? reply.map((key) => toText(key as Uint8Array)) : [];
      return names.length === 7 ? names : undefined;
    },
    { what: "all keys" },
  );
  await lock?.release();
  const masked = (key: string) => key.replace(/(?<=\}:)[\w+/]{12}:[\w-]{32}$/, "generation:hash");
  const examples = table("what | stored key").map(([, , example = ""]) => masked(example));
  // The index of a URL with Vary has the form of a response's key.
  const index = "shop:1:http:valkey-edge-cache:{5:https12:shop.example5:/menu}";
  expect(keys.map(masked).sort()).toEqual([...examples, index].sort());

  const long = `https://shop.example/${"a".repeat(300)}`;
  await (await handler(new Request(long))).text();
  const text = `5:https12:shop.example301:/${"a".repeat(300)}`;
  const hash = createHash("sha256").update(text).digest("base64url").slice(0, 32);
  await until(() => cache.has(cache.makeKey(`http:valkey-edge-cache:{#${hash}}`)), {
    what: "the response of a long URL",
  });
  expect(page).toContain("more than 200 characters are hashed");
  expect(String(cache.namespace("eu").namespace("shoes").makeKey("a"))).toBe("shop:1:ns(eu):ns(shoes):a");
  expect(String(cache.namespace("%()").makeKey("a"))).toBe("shop:1:ns(%25%28%29):a");
  for (const key of Object.values(fleetKeys(cache) ?? {}))
    expect(page).toContain(`\`prefix${key.slice("shop".length)}\``);
});

describe("values", () => {
  const values: Readonly<Record<string, unknown>> = {
    "42": 42,
    "-1.5": -1.5,
    "-0": -0,
    "1e300": 1e300,
    "2n ** 64n": 2n ** 64n,
    '"text"': "text",
    '"42"': "42",
    null: null,
    '{ name: "Ann" }': { name: "Ann" },
  };

  it("are stored as the page says", async () => {
    await using cache = own("bytes-values");
    const rows = table("value | stored");
    expect(rows.map(([value]) => value)).toEqual(Object.keys(values).sort((a, b) => order(rows, a) - order(rows, b)));
    for (const [value = "", bytes] of rows) {
      await cache.set("a", values[value]);
      expect(toText(await stored(cache, "a")), value).toBe(bytes);
    }
    await cache.sets.add("b", ["ann"]);
    const [members] = await cache.connection.send([["SMEMBERS", String(cache.makeKey("b"))]]);
    expect(Array.isArray(members) && members.map((member) => toText(member as Uint8Array))).toEqual(['"ann"']);
    await cache.clear();
  });

  it("begin with the signature of their serializer or compressor", async () => {
    const all = [msgpack(), structuredClone(), zlib(), gzip(), deflate(), brotli(), zstd(), lz4(), lzma(), bz2()];
    const rows = table("serializer or compressor | begins");
    expect(rows.map(([name]) => name?.toLowerCase().replace("()", ""))).toEqual(
      all.map(({ name }) => name.toLowerCase().replace("-", "")),
    );
    for (const [i, [name, signature = ""]] of rows.entries()) {
      const part = all[i];
      await using cache = own(
        "bytes-signatures",
        part && "compress" in part ? { compressor: part } : { serializer: part },
      );
      await cache.set("a", { a: "x".repeat(500) });
      const bytes = await stored(cache, "a");
      const isUnknown = part && "recognizes" in part && part.recognizes(bytes) === "unknown";
      if (signature.startsWith("none")) expect(isUnknown || name === "msgpack()", name).toBe(true);
      else expect(hex(bytes), name).toMatch(new RegExp(`^${signature} `));
      await cache.clear();
    }
  });
});

function order(rows: readonly (readonly string[])[], value: string): number {
  return rows.findIndex(([own]) => own === value);
}

describe("envelopes", () => {
  it("have their fields where the page says", () => {
    const header = {
      freshUntilMs: 1_795_970_725_608,
      deltaMs: 35,
      token: "tokenOfALoad",
      leaseUntilMs: 1_795_970_700_000,
    };
    const bytes = toBytes(seal(header, "W", '"value"'));
    const fields = table("bytes | field").map(([range = ""]) => toText(slice(bytes, range)));
    expect(fields).toEqual([
      "\x11V",
      "1",
      "W",
      "001795970725608",
      "0000000035",
      "tokenOfALoad",
      "001795970700000",
      '"value"',
    ]);
  });

  it("have the serializer's character", async () => {
    const names = [json().name, msgpack().name, structuredClone().name, "http", "next"];
    expect(table("serializer | character").map(([, character]) => character)).toEqual(names.map(markOf));
    await using cache = own("bytes-marks", { client: herd(), serializer: structuredClone() });
    await cache.getOrSet("a", () => "b", { ttl: 60 });
    expect(readEnvelope(await stored(cache, "a"), "a").mark).toBe("Q");
    await cache.clear();
  });

  it("of a newer format are refused with the message of the page, and left alone", async () => {
    await using cache = own("bytes-newer", { client: herd() });
    const key = String(cache.makeKey("a"));
    await cache.connection.send([["SET", key, "\x11V2newer"]]);
    const [message] = /stored in format "2"[^`]*/.exec(page) ?? [];
    expect(message).toBeDefined();
    await expect(cache.get("a")).rejects.toThrow(message);
    await expect(cache.getOrSet("a", () => 1, { ttl: 60 })).resolves.toBe(1);
    expect(toText(await stored(cache, "a"))).toBe("\x11V2newer");
    await cache.clear();
  });
});

it("entries with tags have their fields where the page says, and labels are hashes of tags", async () => {
  const label = createHash("sha256").update("3:tag4:news").digest("base64url").slice(0, 12);
  expect(page).toContain("`3:tag4:news`");
  const bytes = toBytes(tagged({ stamp: ["fVKDJqAi", 17], labels: [label, "another_labl"], payload: '"<p>"' }));
  const fields = table("bytes of the payload | field").map(([range = ""]) => toText(slice(bytes, range)));
  expect(fields).toEqual(["\x11T", "fVKDJqAi", "0000000000000017", "002", label, 'another_labl"<p>"']);

  await using cache = own("bytes-tags");
  await cache.set("a", 1, { tags: ["news"] });
  expect(toText(await stored(cache, "a"))).toContain(label);
  await cache.clear();
});

it("the purge log has the members and letters of the page", async () => {
  await using cache = own("bytes-purges");
  await cache.purgeTags(["news"]);
  await cache.purgeTags(["news", "home"], { match: "all", soft: true });
  const [reply = null] = await cache.connection.send([["ZRANGE", "bytes-purges:1:", "0", "-1", "WITHSCORES"]]);
  const flat = Array.isArray(reply)
    ? reply.flat().map((part) => (part instanceof Uint8Array ? toText(part) : String(part)))
    : [];
  const members = flat.filter((_, i) => i % 2 === 0);
  const scores = flat.filter((_, i) => i % 2 === 1).map(Number);
  expect(members).toEqual([
    expect.stringMatching(/^&[\w-]{24}s$/),
    expect.stringMatching(/^[\w-]{12}h$/),
    "&",
    expect.stringMatching(/^=.{8}$/),
  ]);
  expect(scores[0]).toBe(-(scores[2] ?? 0));
  expect(scores[3]).toBe(Infinity);
  const rows = table("member | score").map(([member = ""]) => member);
  expect(rows.map((member) => member.replaceAll("`", "").slice(0, 1))).toEqual(["=", "a", "&", "&", "-", "~"]);

  const letters = table("| deletes").map(([, hard, soft]) => [hard, soft]);
  const readers = [undefined, "data", "http"] as const;
  expect(letters).toEqual(readers.map((only) => [false, true].map((soft) => recordOf("", soft, only))));
  await cache.connection.send([["DEL", "bytes-purges:1:"]]);
});

it("a lock is its fencing number and its holder's token, and its key outlives it by ten minutes", async () => {
  await using cache = own("bytes-locks");
  const lock = await cache.lock("report", { ttl: 60 });
  const [value = null, ttl] = await cache.connection.send([
    ["GET", "bytes-locks:lock:report"],
    ["PTTL", "bytes-locks:lock:report"],
  ]);
  expect(toText(value as Uint8Array)).toMatch(new RegExp(`^${lock?.fencing} [\\w+/]{16}$`));
  expect(Number(ttl) / 1_000).toBeGreaterThan(655);
  expect(Number(ttl) / 1_000).toBeLessThanOrEqual(660);
  expect(page).toMatch(/`\d{16} [\w+/]{16}`/);
  await cache.connection.send([["DEL", "bytes-locks:lock:report"]]);
});

it("records of the HTTP cache have the form of the page", () => {
  const payload = (record: Uint8Array) => toText(record.subarray(56));
  const head = { status: 200, fields: [["etag", '"a"']], labels: [], stamp: ["fVKDJqAi", 0], packed: false } as const;
  const rest = {
    responseTimeMs: 0,
    initialAgeMs: 0,
    lifetimeMs: 0,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: undefined,
  };
  const flags = { alwaysValidate: false, neverStale: false, immutable: false, vary: [] };
  const response = payload(responseRecord({ ...head, ...rest, ...flags }, toBytes("body"), 1));
  const length = Number(/^R\.(\d{8})\{/.exec(response)?.[1]);
  expect(JSON.parse(response.slice(10, 10 + length))).toMatchObject(head);
  expect(response.slice(10 + length)).toBe("body");
  const index = { generation: "kilKG/1O5f7N", names: [["accept", "cookie"], ["dpr"]], variants: ["one", "two"] };
  expect(payload(indexRecord(index, 1))).toBe("IkilKG/1O5f7N\naccept,cookie\ndpr\n\none\ntwo");
  expect([false, true].map((isLarge) => payload(uncacheableRecord("tokenOfALoad", 1, isLarge)))).toEqual(["U", "UL"]);
  expect(table("payload | what").map(([cell = ""]) => cell.slice(0, 3))).toEqual(["`R`", "`I`", "`U`"]);
});

it("frames of Next have their fields where the page says", () => {
  const bytes = toFrame({ kind: "PAGE", body: toBytes("bytes") });
  const rows = table("bytes of the frame | field");
  const [magic, size, rest] = rows.map(([range = ""]) => slice(bytes, range));
  expect(hex(magic ?? bytes)).toBe(rows[0]?.[2]);
  const length = Buffer.from(size ?? bytes).readUInt32BE();
  expect(JSON.parse(toText(rest?.subarray(0, length) ?? ""))).toEqual([{ kind: "PAGE" }, [["body", "bytes", 5]]]);
  expect(toText(rest?.subarray(length) ?? "")).toBe("bytes");
});

it("channels have the names and messages of the page", async () => {
  const { port } = new URL(inject("valkeyUrl"));
  const subscriber = new Redis(Number(port), HOST);
  onTestFinished(() => subscriber.disconnect());
  const heard = new Map<string, string>();
  subscriber.on("message", (channel: string, message: string) => heard.set(channel, message));
  const names = table("channel | message").map(([name = ""]) => /`([^`]+)`/.exec(name)?.[1] ?? "");
  await subscriber.subscribe(`${names[0]}bytes-channels:1:`, `${names[1]}bytes-channels:1:`);

  await using cache = own("bytes-channels", { nearCache: nearCache({ invalidation: "channel" }) });
  await cache.purgeTags(["news"]);
  await cache.set("a", 1);
  await until(() => heard.size === 2, { what: "both messages" });
  expect(heard.get(`${names[0]}bytes-channels:1:`)).toMatch(/^\S{8} \d+ \d{16} \S{12}h$/);
  expect(heard.get(`${names[1]}bytes-channels:1:`)).toBe('["bytes-channels:1:a"]');
  await cache.clear();
});
