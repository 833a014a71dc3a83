import { brotli } from "../../src/compressors/brotli.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import { type Cache, CacheError, type Connection, createCache, herd, type Reply, ReplyError } from "../../src/index.js";
import { msgpack } from "../../src/serializers/msgpack.js";

/** The largest decoded size of a hostile value, in bytes. */
const MAX_SIZE = 1 << 20;

type Random = () => number;

/** An untrusted server, which sends one reply after another for any command. */
class HostileConnection implements Connection {
  readonly #reply: () => Reply;

  constructor(reply: () => Reply) {
    this.#reply = reply;
  }

  async send(commands: readonly unknown[]): Promise<Reply[]> {
    return commands.map(() => this.#reply());
  }

  async script(): Promise<Reply> {
    const reply = this.#reply();
    if (reply instanceof ReplyError) throw reply;
    return reply;
  }

  async *scan(): AsyncIterable<string[]> {
    yield ["some:1:key"];
  }

  status() {
    return { state: "closed", lastError: undefined } as const;
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

const COMPRESSORS = [undefined, zlib, gzip, deflate, brotli, zstd, lz4, lzma, bz2];
/** Structured clones are for trusted stores only, as their documentation says. */
const SERIALIZERS = [undefined, msgpack];

/** Caches with every serializer, compressor and client, over the replies of `reply`. */
export function hostileCaches(reply: () => Reply): Cache[] {
  const factory = { shares: true, connect: () => new HostileConnection(reply) };
  return SERIALIZERS.flatMap((serializer) =>
    COMPRESSORS.map((compressor, i) =>
      createCache({
        location: "valkey://hostile",
        connectionFactory: factory,
        maxDecompressedSize: MAX_SIZE,
        ...(serializer ? { serializer: serializer() } : {}),
        ...(compressor ? { compressor: compressor() } : {}),
        ...(i % 2 === 0 ? { client: herd({ waitTimeout: 0 }) } : {}),
      }),
    ),
  );
}

const CALLS: readonly ((cache: Cache) => Promise<unknown>)[] = [
  (cache) => cache.get("a"),
  (cache) => cache.getMany(["a", "b"]),
  (cache) => cache.getOrSet("a", () => 1),
  (cache) => cache.hashes.get("a", "field"),
  (cache) => cache.hashes.getAll("a"),
  (cache) => cache.sets.members("a"),
  (cache) => cache.ttl("a"),
  (cache) => cache.has("a"),
  (cache) => cache.incr("a"),
  (cache) => cache.delete("a"),
];

/** Uses a cache once. @returns whether it answered, failed as documented, or failed in a wrong way */
export async function tryOnce(cache: Cache, random: Random): Promise<"answered" | "failed" | { wrong: string }> {
  const call = CALLS[Math.floor(random() * CALLS.length)];
  try {
    await call?.(cache);
    return "answered";
  } catch (error) {
    if (error instanceof CacheError) return "failed";
    const stack = error instanceof Error ? String(error.stack) : String(error);
    const lines = stack.split("\n").filter((line, i) => i === 0 || line.includes("/src/"));
    return { wrong: lines.join("\n").slice(0, 600) };
  }
}

/** Valid stored values of each cache, which are then corrupted. */
export async function seeds(caches: readonly Cache[]): Promise<Uint8Array[]> {
  const values = [
    { a: [1, 2.5, "text", null, true], b: { c: "x".repeat(300) } },
    "plain text that is long enough to be made shorter, plain text that is long enough to be made shorter",
    Array.from({ length: 100 }, (_, i) => i),
    12345678901234567890n,
  ];
  const encoded = await Promise.all(
    caches.flatMap((cache) => values.map((value) => cache.codec.encode(value).catch(() => "0"))),
  );
  const plain = encoded.map((one) => (typeof one === "string" ? Buffer.from(one) : one));
  const header = `\x11V1!${"9".repeat(15)}${"0".repeat(10)}${" ".repeat(12)}${"0".repeat(15)}`;
  return [
    ...plain,
    ...plain.map((one) => Buffer.concat([Buffer.from(header), one])),
    ...HAND_MADE.map((text) => Buffer.from(text, "latin1")),
  ];
}

const HAND_MADE = [
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
  `${"[".repeat(5_000)}${"]".repeat(5_000)}`,
  "1e999999999",
  "9".repeat(5_000),
  `-${"9".repeat(400)}`,
  // MessagePack: a map that says it has 2^32-1 entries, a text of 2^32-1 bytes, __proto__ as a key, unknown extensions.
  "\xdf\xff\xff\xff\xff",
  "\xdb\xff\xff\xff\xff",
  "\xdd\xff\xff\xff\xff",
  "\x81\xa9__proto__\x81\xa8polluted\x01",
  "\xc7\x04\x65eval",
  "\xd4\x72\x40",
];

/** A corrupted reply, or one of an unexpected shape. */
export function hostileReply(known: readonly Uint8Array[], random: Random): Reply {
  const kind = random();
  if (kind < 0.8) return spoil(known, random);
  if (kind < 0.85) return noise(random);
  if (kind < 0.88) return [spoil(known, random), noise(random), null, [1, [spoil(known, random)]]];
  if (kind < 0.91) return String.fromCharCode(...noise(random));
  const odd: Reply[] = [null, -1, 0, Number.MAX_SAFE_INTEGER, Number.NaN, "OK", "", new ReplyError("ERR", "x"), []];
  return odd[Math.floor(random() * odd.length)] ?? null;
}

function noise(random: Random): Uint8Array {
  return Uint8Array.from({ length: Math.floor(random() * 60) }, () => random() * 256);
}

function spoil(known: readonly Uint8Array[], random: Random): Uint8Array {
  const at = (length: number) => Math.floor(random() * length);
  const source = known[at(known.length)] ?? new Uint8Array();
  let bytes: Uint8Array = Uint8Array.from(source);
  for (let i = at(4); i >= 0 && bytes.length > 0; i--) {
    const place = at(bytes.length);
    const way = random();
    if (way < 0.4) bytes[place] = at(256);
    else if (way < 0.6) bytes[place] = (bytes[place] ?? 0) ^ (1 << at(8));
    else if (way < 0.75) bytes = bytes.slice(0, place);
    else if (way < 0.9) bytes.fill(0xff, place, place + 4);
    else {
      const other = known[at(known.length)] ?? new Uint8Array();
      bytes = Uint8Array.from([...bytes.subarray(0, place), ...other.subarray(at(other.length))]);
    }
  }
  return bytes;
}

/** The same numbers for the same seed (mulberry32, by Tommy Ettinger; in the public domain). */
export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
