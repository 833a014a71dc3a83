import fc from "fast-check";
import { LRUCache } from "lru-cache";
import { vi } from "vitest";
import type { Argument, Command, Reply, Script } from "../../src/core/connection.js";
import { Events } from "../../src/core/events.js";
import { Near } from "../../src/near/near-cache.js";
import { nearCacheFactory } from "../../src/near/options.js";
import type { Source } from "../../src/near/source.js";
import { Tags } from "../../src/tags/tags.js";
import {
  ACCESS,
  HeldListening,
  type Later,
  listening,
  ScheduledConnection,
  type Serving,
  scheduler,
  settled,
} from "./scheduler.js";

// The real near caches of two caches of one process. The scheduler of fast-check decides when each command reaches the
// server, when its reply comes back, and when the process hears of a change, by a connection that may be lost.

const KEYS = ["a:1", "a:2"];
const LIFETIME_MS = 100;
const WAIT_MS = 80;

/** What a key held for a while. */
interface State {
  /** `undefined` where there was nothing. */
  readonly text: string | undefined;
  readonly untilMs: number;
  replacedMs: number;
}

interface Entry {
  /** All its states, in their order. */
  readonly states: State[];
  /** Only these may be answered from now on, by their place: what came before was heard to have ended, */
  heard: number;
  /** or came before a write of this process that has ended. */
  own: number;
}

/** A server, and what a process hears from it. */
class Server implements Serving {
  readonly #later: Later;
  readonly #entries = new Map<string, Entry>();
  /** Which states writes have made. Those of commands are found by the command, those of scripts by their arguments. */
  readonly #made = new Map<unknown, [string, number][]>();
  /** The changes that the process has not heard of yet. */
  #ended: (() => void)[] = [];
  #source: Source | undefined;

  constructor(later: Later) {
    this.#later = later;
  }

  /** Heartbeats are not modelled: what listens is trusted until it is lost. */
  connect({ handlers, generation }: HeldListening): void {
    this.#source ??= listening.source = { confirmedMs: Number.MAX_SAFE_INTEGER, generation, isOver: false };
    handlers.all();
  }

  /** From then on, nothing that has ended may be answered. */
  lose(): void {
    if (this.#source) this.#source.isOver = true;
    this.#source = listening.source = undefined;
    this.#ended = [];
    for (const entry of this.#entries.values()) entry.heard = entry.states.length - 1;
  }

  entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known) return known;
    const nothing = { text: undefined, untilMs: Number.POSITIVE_INFINITY, replacedMs: Number.POSITIVE_INFINITY };
    const entry = { states: [nothing], heard: 0, own: 0 };
    this.#entries.set(key, entry);
    return entry;
  }

  #current(key: string): State {
    const state = this.entry(key).states.at(-1) as State;
    return performance.now() < state.untilMs ? state : this.#change(key, undefined);
  }

  #change(key: string, text: string | undefined, lifetimeMs?: number, by?: unknown): State {
    const state = this.#replace(key, text, lifetimeMs, by);
    this.#tell([key], () => listening.handlers.key(key));
    return state;
  }

  #replace(key: string, text: string | undefined, lifetimeMs = Number.POSITIVE_INFINITY, by?: unknown): State {
    const { states } = this.entry(key);
    const nowMs = performance.now();
    const before = states.at(-1);
    if (before) before.replacedMs = nowMs;
    const state = { text, untilMs: nowMs + lifetimeMs, replacedMs: Number.POSITIVE_INFINITY };
    this.#made.set(by, [...(this.#made.get(by) ?? []), [key, states.push(state) - 1]]);
    return state;
  }

  /** Changes are heard of in their order. */
  #tell(keys: readonly string[], hear: () => void): void {
    // Nobody hears of it.
    if (!this.#source) {
      this.lose();
      return;
    }
    const changed = keys.map((key) => this.entry(key)).map((entry) => ({ entry, place: entry.states.length - 1 }));
    this.#ended.push(() => {
      for (const { entry, place } of changed) entry.heard = Math.max(entry.heard, place);
      hear();
    });
    this.#later("hear", () => {
      this.#ended.shift()?.();
      listening.handlers.batchEnded();
    });
  }

  script(_script: Script, [key = ""]: readonly string[], args: readonly Argument[]): Reply {
    return this.run(["SET", key, ...args], args);
  }

  run(command: Command, by: unknown = command): Reply {
    const [name, ...args] = command as readonly string[];
    const [key = "", text = "", ...options] = args;
    const state = this.#current(key);
    const has = state.text !== undefined;
    switch (name) {
      case "GET":
        return state.text ?? null;
      case "MGET":
        return args.map((one) => this.#current(one).text ?? null);
      case "PTTL":
        if (!has) return -2;
        return state.untilMs === Number.POSITIVE_INFINITY ? -1 : state.untilMs - performance.now();
      case "SET":
        if (has && options.includes("NX")) return state.text ?? null;
        this.#change(key, text, options.includes("PX") ? LIFETIME_MS : undefined, by);
        return options.includes("GET") ? null : "OK";
      case "PEXPIRE":
        if (has) this.#change(key, state.text, LIFETIME_MS, by);
        return Number(has);
      case "UNLINK":
        for (const one of args) if (this.#current(one).text !== undefined) this.#change(one, undefined, undefined, by);
        return Number(has);
      case "FLUSHDB":
        for (const one of KEYS) this.#replace(one, undefined, undefined, by);
        this.#tell(KEYS, () => listening.handlers.all());
        return "OK";
      default:
        throw new Error(`${name} is not modelled`);
    }
  }

  /** The process has a reply to what it wrote. */
  ended(by: unknown): void {
    for (const [key, place] of this.#made.get(by) ?? []) {
      const entry = this.entry(key);
      entry.own = Math.max(entry.own, place);
    }
  }

  /** A read begins. @returns what judges its answer: what is wrong with it, in words */
  reads(key: string): (reply: Reply) => string | undefined {
    const entry = this.entry(key);
    const { heard, own } = entry;
    const nowMs = performance.now();
    return (reply) => {
      if (reply === null) return undefined;
      const states = [...entry.states.entries()].filter(([, { text }]) => text === reply);
      if (states.length === 0) return "a value that was never written";
      const later = states.filter(([place]) => place >= own);
      if (later.length === 0) return "a value from before an own write";
      const current = later.filter(([place]) => place >= heard);
      if (current.length === 0) return "a value of whose end was heard";
      // What was replaced before is judged by what was heard of that.
      const isAlive = ({ untilMs, replacedMs }: State): boolean => nowMs < untilMs || replacedMs < untilMs;
      return current.some(([, state]) => isAlive(state)) ? undefined : "a value whose lifetime was over";
    };
  }
}

/** A name stands for each time that it is likelier than others. */
const OWN = "GET GET GET GET GET MGET SET SET-PX SET-PX PEXPIRE UNLINK FLUSHDB script claim".split(" ");
const FOREIGN = "SET SET SET-PX SET-PX PEXPIRE UNLINK FLUSHDB wait wait wait wait lose".split(" ");
const key = fc.constantFrom("a:1", "a:1", ...KEYS);

/** What a caller does, one after the other, each once it has the answer to the one before. */
const ownCalls = fc.array(
  fc.record({
    name: fc.constantFrom(...OWN),
    key,
    cache: fc.nat(1),
    isLost: fc.nat(9).map((n) => n === 0),
  }),
  { minLength: 4, maxLength: 10, size: "max" },
);
const foreignCalls = fc.array(fc.record({ name: fc.constantFrom(...FOREIGN), key }), {
  minLength: 4,
  maxLength: 10,
  size: "max",
});

/** Everything that a run is made of. Clocks and timers are fake ones of vitest. */
export const RUN = fc.record({
  scheduler,
  areOrdered: fc.boolean(),
  callers: fc.array(ownCalls, { minLength: 2, maxLength: 3, size: "max" }),
  others: foreignCalls,
});
type Run = typeof RUN extends fc.Arbitrary<infer T> ? T : never;

/** @returns what was broken, in words; `undefined` when nothing was */
export async function run({ scheduler, areOrdered, callers, others }: Run): Promise<string | undefined> {
  let broken: string | undefined;
  const judge = (wrong: string | undefined): void => {
    broken ??= wrong;
  };
  const later: Later = (what, does) => void scheduler.schedule(Promise.resolve(), what).then(does);
  const turn = (what: string): Promise<void> => scheduler.schedule(Promise.resolve(), what);
  const server = new Server(later);

  const make = nearCacheFactory(
    { maxStaleness: "1h" },
    () => LRUCache,
    async () => ({ Listening: HeldListening }),
  );
  const caches = [0, 1].map(() => {
    const report = (error: unknown): void => judge(String(error));
    const tags = new Tags({ key: () => "a:", log: undefined });
    const near = make({ prefix: "a:", server: "scheduled", listener: ACCESS, events: new Events(), tags, report });
    const inner = new ScheduledConnection(server, later, areOrdered);
    const connection = near.wrap(inner);
    if (near instanceof Near) near.start();
    return { inner, connection };
  });
  vi.runAllTimers();
  await settled();
  server.connect(listening);

  let writes = 0;
  const text = (): string => `value ${++writes}`;

  const call = async ({ name, key, cache, isLost }: (typeof callers)[number][number]): Promise<void> => {
    const { inner, connection } = caches[cache] ?? (caches[0] as (typeof caches)[number]);
    const read = { readOnly: true, text: true };
    const judges = KEYS.map((one) => server.reads(one));
    const judgeOf = (reply: Reply = null): void => judge(judges[KEYS.indexOf(key)]?.(reply));
    const write = async (command: Command): Promise<Reply> => {
      const [reply = null] = await connection.send([command], { text: true, idempotent: true });
      server.ended(command);
      return reply;
    };
    inner.losesNext = isLost;
    if (name === "GET") judgeOf((await connection.send([["GET", key]], read))[0]);
    else if (name === "MGET") {
      const [replies] = await connection.send([["MGET", ...KEYS]], read);
      for (const [i, one] of KEYS.entries()) judge(judges[i]?.(Array.isArray(replies) ? (replies[i] ?? null) : one));
    } else if (name === "SET") await write(["SET", key, text()]);
    else if (name === "SET-PX") await write(["SET", key, text(), "PX", String(LIFETIME_MS)]);
    else if (name === "claim") {
      judgeOf(await write(["SET", key, text(), "NX", "GET", "PX", String(LIFETIME_MS)]));
    } else if (name === "script") {
      const args = [text()];
      await connection.script({ name: "write", lua: "" }, [key], args);
      server.ended(args);
    } else await write(name === "FLUSHDB" ? [name] : [name, key]);
  };
  const callInTurn = async (calls: (typeof callers)[number]): Promise<void> => {
    for (const one of calls) {
      await turn(`${one.name} ${one.key}`);
      await call(one).catch((error: Error) => judge(error.message === "lost" ? undefined : error.message));
    }
  };
  const writeInTurn = async (): Promise<void> => {
    for (const { name, key } of others) {
      await turn(`another's ${name} ${key}`);
      if (name === "wait") vi.advanceTimersByTime(WAIT_MS);
      else if (name === "lose") {
        server.lose();
        later("connect", () => server.connect(listening));
      } else if (name.startsWith("SET")) server.run(["SET", key, text(), ...name.split("-").slice(1)]);
      else server.run([name, key]);
    }
  };

  let areDone = false;
  const all = Promise.all([...callers.map(callInTurn), writeInTurn()]).then(() => {
    areDone = true;
  });
  try {
    await scheduler.waitIdle();
    await settled();
    if (!areDone) return "a call that never ends";
    await all;
    return broken;
  } finally {
    await Promise.all(caches.map(({ connection }) => connection.close()));
  }
}
