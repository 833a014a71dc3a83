import { entryTwins } from "../../../src/client/entry-scripts.js";
import { HerdClient, loadProtocol } from "../../../src/client/herd/client.js";
import type { HerdOptions } from "../../../src/client/herd/options.js";
import { toHerdSettings } from "../../../src/client/herd/options.js";
import { lockTwins } from "../../../src/client/lock.js";
import { Sharing } from "../../../src/client/single-flight.js";
import { Codec } from "../../../src/codec/codec.js";
import { identity } from "../../../src/compressors/identity.js";
import { Stores } from "../../../src/connection/memory/connection.js";
import { handleOf } from "../../../src/connection/registry.js";
import type { Argument, Command, Connection, ConnectionStatus, Reply, Script } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { TimeoutError } from "../../../src/core/errors.js";
import { Events } from "../../../src/core/events.js";
import type { Clock } from "../../../src/core/time.js";
import { leaseTwins } from "../../../src/lease/scripts.js";
import { json } from "../../../src/serializers/json.js";
import { Tags } from "../../../src/tags/tags.js";

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  /** Whose code runs then; absent when it is the network's. */
  readonly process: SimProcess | undefined;
  readonly fire: () => void;
}

// As for the store below: the first `getOrSet` would load it.
await loadProtocol();

/** Taken before any test fakes it. */
const realSetImmediate = globalThis.setImmediate;
/** How long the simulated transport waits for an answer. */
export const COMMAND_TIMEOUT_MS = 500;

/** Simulated processes around one store. Time passes, and code runs, only in `advance`. */
export class World {
  nowMs = 1_700_000_000_000;
  /** What runs between two moments at which something arrives or time is over is one turn. */
  turn = 0;
  readonly store: Connection;
  /** Called each time the server has carried out a round trip or a script. */
  onEffect: (process: SimProcess, commands: readonly Command[]) => void = () => {};
  /** Not by `memory()`, which loads it with the first command: that takes turns that nobody simulates. */
  readonly #stores = new Stores(
    { now: () => this.nowMs, random: () => this.random(), sleep: async () => {} },
    { maxSize: 1_000_000, maxEntries: 1_000 },
    new Map([...leaseTwins, ...entryTwins, ...lockTwins]),
  );
  readonly #timers: Timer[] = [];
  #order = 0;
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.store = this.connect();
  }

  connect(): Connection {
    return this.#stores.connect("");
  }

  /** The same numbers from the same seed: mulberry32. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  at(dueMs: number, process: SimProcess | undefined, fire: () => void): void {
    this.#timers.push({ dueMs, order: this.#order++, process, fire });
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await settled();
    for (;;) {
      const next = this.#next(endMs);
      if (!next) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      this.turn++;
      next.fire();
      await settled();
    }
    this.nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    const due = this.#timers.filter(
      ({ dueMs, process }) => dueMs <= endMs && (process?.state ?? "running") === "running",
    );
    return due.reduce<Timer | undefined>((first, one) => (!first || isBefore(one, first) ? one : first), undefined);
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

/** Everything that can run without time passing has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

/** A herd client with a clock, and a way to the server, of its own. */
export class SimProcess implements Connection {
  state: "running" | "frozen" | "crashed" = "running";
  /** How far its clock is ahead of the server's. */
  skewMs = 0;
  /** How often it was frozen, thawed or cut off. */
  disturbances = 0;
  readonly errors: unknown[] = [];
  readonly events = new Events();
  readonly client: HerdClient;
  readonly #world: World;
  readonly #server: Connection;
  /** Until then, what it sends or should receive is lost. */
  #cutUntilMs = 0;
  #lastArrivalMs = 0;
  #lastReturnMs = 0;

  constructor(world: World, options: HerdOptions) {
    this.#world = world;
    this.#server = world.connect();
    const purges = { key: () => "", log: undefined };
    this.client = new HerdClient(
      {
        connection: handleOf(this, async () => {}),
        unordered: this,
        codec: new Codec({ serializer: json(), compressor: identity(), maxDecompressedSize: 1_000 }),
        clock: this.clock,
        invocation: PROCESS,
        events: this.events,
        sharing: new Sharing(),
        purges,
        tags: new Tags(purges),
        report: (error) => this.errors.push(error),
        forgive: (error) => {
          throw error;
        },
      },
      toHerdSettings(options),
    );
  }

  freeze(): void {
    this.state = "frozen";
    this.disturbances++;
  }

  thaw(): void {
    if (this.state !== "frozen") return;
    this.state = "running";
    this.disturbances++;
  }

  cut(ms: number): void {
    this.#cutUntilMs = this.#world.nowMs + ms;
    this.disturbances++;
  }

  get clock(): Clock {
    return {
      now: () => this.#world.nowMs + this.skewMs,
      random: () => this.#world.random(),
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  send(commands: readonly Command[]): Promise<Reply[]> {
    return this.#travel(commands, () => this.#server.send(commands));
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    return this.#travel([[script.name, ...keys, ...args]], () => this.#server.script(script, keys, args));
  }

  scan(): AsyncIterable<string[]> {
    throw new Error("not simulated");
  }

  status(): ConnectionStatus {
    return { state: "closed", lastError: undefined };
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      signal?.addEventListener("abort", () => resolve(), { once: true });
      this.#world.at(this.#world.nowMs + ms, this, resolve);
    });
  }

  /** To the server and back, in either direction in order. */
  #travel<T>(commands: readonly Command[], run: () => Promise<T>): Promise<T> {
    const world = this.#world;
    const latency = () => 1 + Math.floor(world.random() * 20);
    const arrivalMs = Math.max(world.nowMs + latency(), this.#lastArrivalMs);
    this.#lastArrivalMs = arrivalMs;
    return new Promise<T>((resolve, reject) => {
      const isCut = () => world.nowMs < this.#cutUntilMs;
      const late = () => reject(new TimeoutError("the simulated server did not answer"));
      world.at(world.nowMs + COMMAND_TIMEOUT_MS, this, late);
      if (isCut()) return;
      world.at(arrivalMs, undefined, () => {
        if (isCut()) return;
        const replies = run();
        world.onEffect(this, commands);
        // Whoever crashes or is cut off does not hear of a refusal.
        replies.catch(() => {});
        this.#lastReturnMs = Math.max(world.nowMs + latency(), this.#lastReturnMs);
        world.at(this.#lastReturnMs, this, () => {
          if (!isCut()) replies.then(resolve, reject);
        });
      });
    });
  }
}
