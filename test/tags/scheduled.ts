import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { LRUCache } from "lru-cache";
import { vi } from "vitest";
import type { Cache } from "../../src/cache/cache.js";
import {
  type Argument,
  type Command,
  type Connection,
  type ConnectionFactory,
  PROCESS,
  type Reply,
  type Script,
} from "../../src/core/connection.js";
import { parseLocation } from "../../src/core/location.js";
import { createCache, memory } from "../../src/index.js";
import { text } from "../../src/lease/state.js";
import { nearCacheFactory } from "../../src/near/options.js";
import type { Source } from "../../src/near/source.js";
import { tagLabels } from "../../src/tags/labels.js";
import { APPEND, recordOf, recordOfAll } from "../../src/tags/records.js";
import {
  ACCESS,
  HeldListening,
  type Later,
  listening,
  ScheduledConnection,
  type Serving,
  scheduler,
  settled,
} from "../near/scheduler.js";
import { nowMs } from "../promises/model.js";

// Two caches of one process, each with a near cache, and one of another process without. They share entries with tags at one
// server. The scheduler of fast-check decides when each command of the first process reaches the server, when its reply comes
// back, when its loaders end, and when it hears of a change, by a connection that may be lost.

const PREFIX = "app";
const LOG = `${PREFIX}:1:`;
const KEYS = ["k", "l"] as const;
const NAMESPACE = "n";
/** By which all values of the namespace end. */
const NAMESPACE_TAG = "ns(n):";
/** After which a call counts as one that never ends. */
const PATIENCE_MS = 5_000;
const TAGS = [["red"], ["blue"], ["red", "blue"]] as const;

interface Value {
  readonly id: number;
}

/** When and with which tags a value was made, by the count of what has happened. */
interface Birth {
  readonly tags: readonly string[];
  /** When its call began. */
  readonly calledAt: number;
  /** Later purges end it: when its loader was called, or when the call ended that wrote it. */
  bornAt: number;
}

/** What purges end, and how. */
interface Purging {
  readonly tags: readonly string[];
  readonly soft: boolean;
  readonly match: "any" | "all";
}

interface Purge extends Purging {
  readonly at: number;
}

/** The purge log was deleted. */
interface Loss {
  /** When the process has heard of it. */
  heardAt: number;
}

/** Purges by what they append to the log. */
const PURGES = new Map<string, Purging>();

/** Hashes all tags, and loads what is loaded late. */
export async function prepare(): Promise<void> {
  await import("../../src/tags/purge-tags.js");
  for (const match of ["any", "all"] as const) {
    for (const tags of [...TAGS, [NAMESPACE_TAG]]) {
      const labels = await tagLabels(tags);
      const only = tags[0] === NAMESPACE_TAG ? "data" : undefined;
      for (const soft of [false, true]) {
        const records =
          match === "all" && labels.length > 1
            ? [recordOfAll(labels, soft, only)]
            : labels.map((label) => recordOf(label, soft, only));
        PURGES.set(records.join(" "), { tags, soft, match: labels.length > 1 ? match : "any" });
      }
    }
  }
}

/** A server that sends what purges publish, and notifies of each change. */
class Server implements Serving {
  readonly #later: Later;
  readonly #store: Connection;
  #source: Source | undefined;
  /** What the process has not heard of yet. */
  #unheard: (() => unknown)[] = [];
  #clock = 0;
  readonly #purges: { readonly purge: Purge; readonly isOwn: boolean; isKnown: boolean }[] = [];
  readonly losses: Loss[] = [];

  constructor(store: Connection, later: Later) {
    this.#store = store;
    this.#later = later;
  }

  /** Counts what happens. */
  now(): number {
    return ++this.#clock;
  }

  connect({ handlers, generation }: HeldListening): void {
    this.#source ??= listening.source = { confirmedMs: Number.MAX_SAFE_INTEGER, generation, isOver: false };
    handlers.all();
  }

  /** What the process does not hear, it asks for from then on. */
  disconnect(): void {
    if (this.#source) {
      this.#source.isOver = true;
      this.#source = listening.source = undefined;
    }
    this.#unheard = [];
    for (const one of this.#purges) one.isKnown = true;
    for (const loss of this.losses) loss.heardAt = Math.min(loss.heardAt, this.now());
  }

  /** The purges whose values the process may not answer any more. */
  known(): readonly Purge[] {
    return this.#purges.flatMap(({ purge, isKnown }) => (isKnown ? [purge] : []));
  }

  /** All purges that were carried out. */
  all(): readonly Purge[] {
    return this.#purges.map(({ purge }) => purge);
  }

  /** The process has the reply to a purge of its own, which it has called for at a moment. */
  ended(own: Purging, calledAt: number): void {
    // Of several that are alike the first, as it ends nothing that this one leaves.
    const one = this.#purges.find(({ purge, isOwn }) => isOwn && purge.at > calledAt && isAlike(purge, own));
    if (one) one.isKnown = true;
  }

  async run(command: Command): Promise<Reply> {
    const [name, key = ""] = command.map(String);
    const sending = this.#store.send([command], { readOnly: true, text: true });
    if (name === "SET" || name === "UNLINK") this.#notify(key);
    const [reply = null] = await sending;
    return reply;
  }

  /** @param by a quiet one can't publish what it appends */
  script(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    by: "own" | "other" | "quiet" = "own",
  ): Promise<Reply> {
    const [key = ""] = keys;
    if (script !== APPEND) {
      this.#notify(key);
      return this.#store.script(script, keys, args);
    }
    const end = () => this.#store.send([["ZREVRANGEBYSCORE", LOG, "+inf", "(0", "WITHSCORES", "LIMIT", "0", "2"]]);
    const before = end();
    const reply = this.#store.script(script, keys, args);
    const after = end();
    const records = args.slice(2).join(" ");
    const purging = PURGES.get(records);
    if (records && !purging) throw new Error(`${records} is not modelled`);
    const isQuiet = by === "quiet";
    if (purging && !isQuiet) {
      this.#hear("hear a purge", async () => {
        const [[last = "0"], [number, epoch]] = [numbersOf((await before)[0]), numbersOf((await after)[0])];
        if (this.#source) {
          const message = `${epoch} ${last} ${number} ${records}`;
          listening.handlers.published(LOG, message, this.#source);
        }
      });
    }
    const one = purging && { purge: { ...purging, at: this.now() }, isOwn: by === "own", isKnown: false };
    if (one) this.#purges.push(one);
    this.#notify(LOG, () => {
      if (one) one.isKnown = true;
    });
    return purging && isQuiet ? Promise.resolve(null) : reply;
  }

  loseLog(): void {
    const loss: Loss = { heardAt: Number.POSITIVE_INFINITY };
    this.losses.push(loss);
    void this.#store.send([["UNLINK", LOG]]);
    this.#notify(LOG, () => {
      loss.heardAt = this.now();
    });
  }

  #notify(key: string, heard = (): void => {}): void {
    this.#hear("hear", () => {
      heard();
      listening.handlers.key(key);
      listening.handlers.batchEnded();
    });
    // Nothing hears of it.
    if (!this.#source) this.disconnect();
  }

  /** Changes are heard of in their order. */
  #hear(what: string, hear: () => unknown): void {
    if (!this.#source) return;
    this.#unheard.push(hear);
    this.#later(what, () => void this.#unheard.shift()?.());
  }
}

function isAlike(one: Purging, other: Purging): boolean {
  return String(one.tags) === String(other.tags) && one.soft === other.soft && one.match === other.match;
}

/** The last number of the log, and its epoch. @param reply the epoch and the last purge, as members with scores */
function numbersOf(reply: Reply = null): [number: string | undefined, epoch: string | undefined] {
  const [epoch, , , number] = (Array.isArray(reply) ? reply.flat() : []).map(text);
  return [number, epoch?.slice(1)];
}

/** A connection of another process, whose commands are run at once. */
function directly(server: Server, by: "other" | "quiet"): Connection {
  return {
    send: (commands) => Promise.all(commands.map((command) => server.run(command))),
    script: (script, keys, args) => server.script(script, keys, args, by),
    scan() {
      throw new Error("SCAN is not modelled");
    },
    status: () => ({ state: "closed", lastError: undefined }),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A name stands for each time that it is likelier than others. */
const OWN = "get get get get getMany load load load set purge purge".split(" ");
const OTHER = "get load set set purge purge purge purge disconnect lose-log".split(" ");

const step = (names: readonly string[]) =>
  fc.record({
    name: fc.constantFrom(...names),
    key: fc.constantFrom("k", "k", ...KEYS),
    inNamespace: fc.nat(3).map((n) => n === 0),
    cache: fc.nat(1),
    tags: fc.constantFrom(...TAGS),
    soft: fc.boolean(),
    match: fc.constantFrom("any", "any", "all"),
    isLost: fc.nat(19).map((n) => n === 0),
  });
const steps = (names: readonly string[]) => fc.array(step(names), { minLength: 4, maxLength: 10, size: "max" });
type Step = ReturnType<typeof step> extends fc.Arbitrary<infer T> ? T : never;

/** Everything that a run is made of. Timers are fake ones of vitest. */
export const RUN = fc.record({
  scheduler,
  areOrdered: fc.boolean(),
  /** The other process may not publish what it purges. */
  isQuiet: fc.boolean(),
  callers: fc.array(steps(OWN), { minLength: 2, maxLength: 3, size: "max" }),
  others: steps(OTHER),
});
type Run = typeof RUN extends fc.Arbitrary<infer T> ? T : never;

/** @returns what was broken, in words; `undefined` when nothing was */
export async function run({ scheduler, areOrdered, isQuiet, callers, others }: Run): Promise<string | undefined> {
  let broken: string | undefined;
  let isOpen = false;
  const later: Later = (what, does) => {
    if (isOpen) scheduler.schedule(Promise.resolve(), what).then(does);
    else does();
  };
  const turn = (what: string): Promise<void> => scheduler.schedule(Promise.resolve(), what);
  const store = memory().connect(parseLocation(`memory://${randomUUID()}`), PROCESS);
  await store.send([["PING"]]);
  const server = new Server(store, later);
  const births = new Map<number, Birth>();

  const open = (connection: Connection, more: object): Cache =>
    createCache({
      location: "valkey://scheduled:1",
      keyPrefix: PREFIX,
      ttl: null,
      logger: false,
      connectionFactory: {
        shares: false,
        connect: () => connection,
        listener: () => ACCESS,
      } satisfies ConnectionFactory,
      ...more,
    });
  const inner = [0, 1].map(() => new ScheduledConnection(server, later, areOrdered));
  const nearCache = () =>
    nearCacheFactory(
      { maxStaleness: "1h" },
      () => LRUCache,
      async () => ({ Listening: HeldListening }),
    );
  const caches = inner.map((one) => open(one, { nearCache: nearCache() }));
  const other = open(directly(server, isQuiet ? "quiet" : "other"), {});
  for (const cache of [...caches, other]) await cache.set("warm", { id: 0 }, { tags: ["warm"] });
  vi.runAllTimers();
  await settled();
  server.connect(listening);
  isOpen = true;

  let ids = 0;
  const give = (tags: readonly string[], calledAt: number, bornAt: number): Value => {
    births.set(++ids, { tags, calledAt, bornAt });
    return { id: ids };
  };

  /** Begins a read. @returns what judges a value that it answers */
  const reads = (known: readonly Purge[], mayBeStale: boolean) => (value: Value | undefined) => {
    const birth = value && births.get(value.id);
    if (!birth) {
      if (value) broken ??= "a value that was never written";
      return;
    }
    const { tags, calledAt, bornAt } = birth;
    const applies = (purge: Purge): boolean =>
      purge.at > bornAt &&
      (purge.match === "all"
        ? purge.tags.every((tag) => tags.includes(tag))
        : purge.tags.some((tag) => tags.includes(tag)));
    // What was stamped before the log was lost counts as softly purged.
    const isOld = server.losses.some(({ heardAt }) => heardAt > calledAt);
    const wrong = known.find((purge) => applies(purge) && !(mayBeStale && (purge.soft || isOld)));
    if (wrong) broken ??= `a value that was purged ${wrong.soft ? "softly" : "hard"}`;
  };

  const call = async (root: Cache, given: Step, process: "own" | "other"): Promise<void> => {
    const { name, key, inNamespace, tags, soft, match } = given;
    const cache = inNamespace ? root.namespace(NAMESPACE) : root;
    const all = inNamespace ? [...tags, NAMESPACE_TAG] : tags;
    const calledAt = server.now();
    const known = process === "own" ? server.known() : server.all();
    if (name === "get") reads(known, false)(await cache.get<Value>(key));
    else if (name === "getMany") {
      for (const value of (await cache.getMany<Value>(KEYS)).values()) reads(known, false)(value);
    } else if (name === "load") {
      const load = async (): Promise<Value> => {
        const value = give(all, calledAt, server.now());
        if (process === "own") await turn(`load ${value.id}`);
        return value;
      };
      reads(known, true)(await cache.getOrSet<Value>(key, load, { tags }));
    } else if (name === "set") {
      const value = give(all, calledAt, Number.POSITIVE_INFINITY);
      await cache.set(key, value, { tags });
      births.set(value.id, { tags: all, calledAt, bornAt: server.now() });
    } else {
      const purging: Purging = inNamespace
        ? { tags: [NAMESPACE_TAG], soft, match: "any" }
        : { tags, soft, match: tags.length > 1 ? match : "any" };
      if (inNamespace) await root.namespace(NAMESPACE).purge({ soft });
      else await root.purgeTags(tags, { soft, match });
      if (process === "own") server.ended(purging, calledAt);
    }
  };
  const callInTurn = async (calls: readonly Step[]): Promise<void> => {
    for (const one of calls) {
      await turn(`${one.name} ${one.key}`);
      const connection = inner[one.cache];
      if (connection) connection.losesNext = one.isLost;
      await call(caches[one.cache] ?? other, one, "own").catch((error: Error) => {
        if (error.message !== "lost") broken ??= String(error.stack);
      });
    }
  };
  const actInTurn = async (): Promise<void> => {
    for (const one of others) {
      await turn(`another's ${one.name} ${one.key}`);
      if (one.name === "lose-log") server.loseLog();
      else if (one.name === "disconnect") {
        server.disconnect();
        later("connect", () => server.connect(listening));
      } else await call(other, one, "other");
    }
  };

  let areDone = false;
  const all = Promise.all([...callers.map(callInTurn), actInTurn()]).then(() => {
    areDone = true;
  });
  try {
    // Code that is loaded late may come when nothing else is to be done.
    const sinceMs = nowMs();
    while (!areDone && nowMs() < sinceMs + PATIENCE_MS) {
      await scheduler.waitIdle();
      await settled();
    }
    if (!areDone) return "a call that never ends";
    await all;
    return broken;
  } finally {
    isOpen = false;
    await Promise.all([...caches, other].map((cache) => cache.close()));
  }
}
