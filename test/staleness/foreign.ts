import { execFile } from "node:child_process";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { type Cache, createCache, ReplyError } from "valkey-edge-cache";
import { CACHES, FOREIGN, idOf, nowMs, valueFor } from "../promises/model.ts";
import { ENTRIES, HOME, pick, placeOf, type Random } from "../promises/operations.ts";
import { HOST } from "../support/ports.js";
import { Notes } from "./calls.ts";
import { LOOK } from "./history.ts";
import { COLD_KEYS, clientOf, factoryOf, HOT_KEYS, type Round, WIDE } from "./round.ts";
import { anyOf, LAG_MS, type Servers } from "./topologies.ts";

interface Entries {
  readonly of: typeof HOME | typeof WIDE;
  readonly keys: readonly [string, ...string[]];
}

/** Entries that are written to without the library: those that change often. */
const BUSY: readonly [Entries, Entries] = [
  { of: HOME, keys: [...ENTRIES, ...HOT_KEYS] },
  { of: WIDE, keys: HOT_KEYS },
];
/** All that are. */
export const PLACES: readonly string[] = BUSY.flatMap(({ of, keys }) =>
  [...keys, ...COLD_KEYS].map((key) => placeOf(of, key)),
);
const COLD_SHARE = 0.06;
const TIMEOUT_MS = 1_000;
const SET = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])";

type Words = readonly [string, ...string[]];
/** Sends a command. @throws when it was refused, or has no answer */
type Send = (command: Words, place: string) => Promise<unknown>;

interface Kept extends Entries {
  readonly cache: Cache;
}

let lastNumber = 1_000_000;

/** Whatever changes the caches' entries without the library, and looks at what the server has. */
export class Foreign implements AsyncDisposable {
  readonly notes = new Notes();
  readonly #servers: Servers;
  readonly #round: Round;
  readonly #random: Random;
  readonly #caches: readonly [Kept, ...Kept[]];

  constructor(round: Round, servers: Servers, random: Random) {
    this.#servers = servers;
    this.#round = round;
    this.#random = random;
    const open = (client: Round["client"], { prefix, version }: typeof HOME | typeof WIDE) =>
      createCache({
        location: [...servers.primaries.location],
        connectionFactory: factoryOf(round.topology, "iovalkey", servers.primaries),
        ...{ keyPrefix: prefix, version, client: clientOf(client), logger: false },
      });
    const other = round.client === "herd" ? "default" : "herd";
    this.#caches = [
      { cache: open(round.client, HOME), keys: [...BUSY[0].keys, ...COLD_KEYS], of: HOME },
      { cache: open(other, WIDE), keys: [...BUSY[1].keys, ...COLD_KEYS], of: WIDE },
    ];
  }

  async play(forMs: number): Promise<void> {
    const endMs = nowMs() + forMs;
    const until = async (work: () => Promise<unknown>, longestMs: number): Promise<void> => {
      while (nowMs() < endMs) {
        await work().catch(() => {});
        await pause(this.#random() * longestMs);
      }
    };
    await Promise.all([
      until(() => this.#write("a client", JSON.stringify, this.#byConnection), 15),
      until(() => this.#write("a Python client", pythonJson, this.#bySocket), 25),
      until(() => this.#write("valkey-cli", JSON.stringify, this.#byCli), 300),
      until(() => this.#look(), 60),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#caches.map(({ cache }) => cache.close()));
  }

  async #write(who: string, encode: (value: unknown) => string, send: Send): Promise<void> {
    const place = this.#place();
    const id = ++lastNumber * CACHES + FOREIGN;
    const text = encode(valueFor(id));
    const [command, ttlMs] = pick<readonly [Words, number?]>(this.#random, [
      [["SET", place, text], Infinity],
      [["SET", place, text, "PX", "500"], 500],
      [["SETEX", place, "1", text], 1_000],
      [["GETSET", place, text], Infinity],
      [["EVAL", SET, "1", place, text, "700"], 700],
      [["DEL", place]],
      [["UNLINK", place]],
      [["GETDEL", place]],
      [["PEXPIRE", place, "40"]],
    ]);
    const startMs = nowMs();
    const what = `${command[0]} of ${who}`;
    this.notes.operations++;
    if (command[0] === "PEXPIRE") {
      const extension = { place, endMs: Infinity, untilMs: Infinity };
      this.notes.extensions.push(extension);
      await send(command, place);
      Object.assign(extension, { endMs: nowMs(), untilMs: nowMs() + 40 });
      return;
    }
    const birth = ttlMs === undefined ? undefined : this.notes.writing(place, id, startMs);
    await send(command, place);
    const endMs = nowMs();
    if (birth) Object.assign(birth, { endMs, untilMs: endMs + (ttlMs ?? 0) });
    this.notes.ended({ place, startMs, endMs, what, ...(birth ? { keeps: id } : {}) });
  }

  readonly #byConnection: Send = async (command) => {
    const [reply] = await this.#caches[0].cache.connection.send([[...command]]);
    if (reply instanceof ReplyError) throw reply;
  };

  readonly #bySocket: Send = async (command) => {
    // Where the place is another primary's, the server says so, and nothing is changed.
    const { port } = anyOf(this.#random, await this.#servers.primary());
    await sendRaw(port, command);
  };

  readonly #byCli: Send = async (command) => {
    const { port } = anyOf(this.#random, await this.#servers.primary());
    const cluster = this.#round.topology === "cluster" ? ["-c"] : [];
    const args = [...cluster, "-e", "-h", HOST, "-p", String(port), ...command];
    await promisify(execFile)("valkey-cli", args, { timeout: TIMEOUT_MS });
  };

  /** What the server has now shows what else is gone: what has expired, was evicted, or was lost with a server. */
  async #look(): Promise<void> {
    const { cache, keys, of } = pick(this.#random, this.#caches);
    const startMs = nowMs();
    const values = await cache.getMany(keys);
    const endMs = nowMs();
    // After a failover, the server that was asked may be a replica for a moment.
    const lagMs = this.#round.topology === "cluster" || this.#round.topology === "sentinel" ? LAG_MS : 0;
    for (const key of keys) {
      const seen = idOf(values.get(key));
      const keeps = seen && "id" in seen ? { keeps: seen.id } : {};
      this.notes.ended({ place: placeOf(of, key), startMs: startMs - lagMs, endMs, what: LOOK, ...keeps });
    }
  }

  #place(): string {
    const { keys, of } = pick(this.#random, BUSY);
    return placeOf(of, this.#random() < COLD_SHARE ? pick(this.#random, COLD_KEYS) : pick(this.#random, keys));
  }
}

/** As `json.dumps` of Python writes it. */
function pythonJson(value: unknown): string {
  const [text, list, object] = [JSON.stringify, ", ", ": "] as const;
  const write = (one: unknown): string => {
    if (Array.isArray(one)) return `[${one.map(write).join(list)}]`;
    if (typeof one !== "object" || one === null) return text(one) ?? "null";
    const fields = Object.entries(one).map(([name, field]) => text(name) + object + write(field));
    return `{${fields.join(list)}}`;
  };
  return write(value).replace(/[^\0-\x7f]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** One command over a connection of its own, in RESP2. @throws when it was refused, or has no answer */
function sendRaw(port: number, words: Words): Promise<string> {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: HOST, port, noDelay: true });
    const fail = (what: string): void => {
      socket.destroy();
      reject(new Error(`${words[0]}: ${what}`));
    };
    socket.setTimeout(TIMEOUT_MS, () => fail("no answer"));
    socket
      .on("error", (error) => fail(error.message))
      .on("close", () => fail("the connection was closed"))
      .once("data", (bytes) => {
        const reply = bytes.toString();
        if (reply.startsWith("-")) fail(reply);
        else resolve(reply);
        socket.destroy();
      });
    socket.write(`*${words.length}\r\n${parts.join("")}`);
  });
}
