import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { nowMs } from "../promises/model.ts";
import { pick, type Random, randomFrom } from "../promises/operations.ts";
import { freeze } from "../promises/stage.ts";
import { command } from "../support/command.js";
import { Foreign, PLACES } from "./foreign.ts";
import { Gate, type Traffic } from "./gate.ts";
import { History, type Log, OUTSIDE, type Violation } from "./history.ts";
import type { Played, Round, Topology } from "./round.ts";
import { anyOf, LAG_MS, primariesOf, type ServerFault, type Servers, START } from "./topologies.ts";
import type { Order } from "./worker.ts";

/** What a round showed. */
export interface Shown {
  readonly violations: readonly Violation[];
  readonly operations: number;
  readonly hits: number;
  readonly nearHits: number;
  /** How often each kind of fault has happened. */
  readonly faults: ReadonlyMap<string, number>;
  /** What happened when, for messages. */
  readonly events: Violation["events"];
  readonly lags: readonly number[];
}

interface Site {
  readonly servers: Servers;
  /** Each process's way to each server. */
  readonly gates: readonly (readonly Gate[])[];
}

const ADMIN_MS = 10_000;
const LONG_MS = 6_000;

/** Processes with near caches, and the servers of any number of rounds. */
export class Stage implements AsyncDisposable {
  readonly #workers: readonly ChildProcess[];
  readonly #sites = new Map<Topology, Promise<Site>>();

  private constructor(workers: readonly ChildProcess[]) {
    this.#workers = workers;
  }

  static async open(processes: number): Promise<Stage> {
    const workers = Array.from({ length: processes }, () =>
      fork(fileURLToPath(new URL("worker.ts", import.meta.url)), { serialization: "advanced" }),
    );
    await Promise.all(workers.map((worker) => once(worker, "message")));
    return new Stage(workers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) worker.kill("SIGKILL");
    for (const opening of this.#sites.values()) {
      const { servers, gates } = await opening;
      await Promise.all(gates.flat().map((gate) => gate[Symbol.asyncDispose]()));
      await servers[Symbol.asyncDispose]();
    }
  }

  /** Starts the servers of a topology, if they don't run yet. */
  prepare(topology: Topology): Promise<Site> {
    const opening = this.#sites.get(topology) ?? this.#open(topology);
    this.#sites.set(topology, opening);
    return opening;
  }

  async play(round: Round): Promise<Shown> {
    const { servers, gates } = await this.prepare(round.topology);
    const random = randomFrom(round.seed);
    for (const { port } of await servers.primary()) await command(port, ["FLUSHALL"], { timeoutMs: ADMIN_MS });
    await using foreign = new Foreign(round, servers, random);
    const disturbance = new Disturbance({ round, servers, gates, workers: this.#workers, random });
    const [played] = await Promise.all([
      Promise.all(this.#workers.map((worker, process) => this.#playIn(worker, process, round, { servers, gates }))),
      foreign.play(round.forMs),
      round.weather === "faults" ? disturbance.go() : undefined,
      disturbance.watch(),
    ]);
    const logs: Log[] = [...played.map(({ log }) => log), foreign.notes.toLog(), disturbance.log];
    const history = new History(logs, {
      maxStalenessMs: round.maxStalenessMs,
      // A read that the near cache can't answer goes to a replica, which may lag behind.
      ownMs: round.topology === "replica" ? LAG_MS : 0,
      lost: disturbance.lost,
    });
    return {
      violations: history.violations(),
      operations: logs.reduce((sum, { operations }) => sum + operations, 0),
      hits: played.reduce((sum, { hits }) => sum + hits, 0),
      nearHits: played.reduce((sum, { nearHits }) => sum + nearHits, 0),
      faults: disturbance.counts,
      events: disturbance.events,
      lags: round.weather === "calm" && round.invalidation === "tracking" ? history.lags() : [],
    };
  }

  async #playIn(worker: ChildProcess, process: number, round: Round, { servers, gates }: Site): Promise<Played> {
    const addressMap = Object.fromEntries(
      servers.all.map(({ host, port }, i) => [`${host}:${port}`, gates[process]?.[i]?.address ?? ""]),
    );
    const over = new AbortController();
    const played = once(worker, "message", over);
    const ended = once(worker, "exit", over);
    for (const one of [played, ended]) one.catch(() => {});
    order(worker, { play: { round, process, where: servers.where, addressMap } });
    const result = await Promise.race([played.then(([one]) => one as Played), ended.then(() => undefined)]);
    over.abort();
    if (!result) throw new Error(`process ${process} has ended; what it says is above`);
    return result;
  }

  async #open(topology: Topology): Promise<Site> {
    const servers = await START[topology]();
    const gates = await Promise.all(
      this.#workers.map(() => Promise.all(servers.all.map(({ port }) => Gate.open(port)))),
    );
    return { servers, gates };
  }
}

interface Scene extends Site {
  readonly round: Round;
  readonly workers: readonly ChildProcess[];
  readonly random: Random;
}

/** Faults at random, until the round is over. */
class Disturbance {
  readonly counts = new Map<string, number>();
  readonly events: (readonly [number, string])[] = [];
  readonly lost: [number, number][] = [];
  readonly #it: Scene;
  readonly #ends: Log["ends"][number][] = [];
  readonly #losses: Log["losses"][number][] = [];

  constructor(scene: Scene) {
    this.#it = scene;
  }

  get log(): Log {
    const nothing = { births: [], extensions: [], sightings: [], purges: [], strange: [], operations: 0 };
    return { ...nothing, ends: this.#ends, losses: this.#losses };
  }

  async go(): Promise<void> {
    const endMs = nowMs() + this.#it.round.forMs;
    const { random, servers } = this.#it;
    const own = Object.entries(servers.faults);
    const loop = async (kinds: readonly (readonly [string, ServerFault])[], longestMs: number): Promise<void> => {
      // Each kind comes up before one comes up again.
      let left: (readonly [string, ServerFault])[] = [];
      for (;;) {
        await pause(longestMs * (0.3 + 0.7 * random()));
        if (nowMs() > endMs - 500) return;
        if (left.length === 0) left = [...kinds];
        const next = anyOf(random, left);
        left.splice(left.indexOf(next), 1);
        const [name, fault] = next;
        // These take seconds, and are to be seen through.
        if (/killed (under|in)|failover|takeover/.test(name) && nowMs() > endMs - LONG_MS) continue;
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
        const startMs = nowMs();
        await fault(random, (fromMs) => this.#lose(fromMs));
        this.events.push([startMs, `${name}, ${(nowMs() - startMs).toFixed(0)} ms`]);
        // What was stored may be gone, and purge logs with it.
        if (/server killed|evicted/.test(name)) this.#losses.push([startMs, nowMs()]);
      }
    };
    // One thing at a time goes wrong between processes and servers, and one at the servers.
    await Promise.all([loop(this.#near(), 300), loop([...own, ...own, ...this.#general()], 700)]);
    if (this.#it.round.setsClocks) for (const worker of this.#it.workers) order(worker, { clockMs: 0 });
  }

  /** Servers may also take over by themselves, when this machine is so busy that others take them for dead. */
  async watch(): Promise<void> {
    const { round, servers } = this.#it;
    if (round.topology !== "sentinel" && round.topology !== "cluster") return;
    const untilMs = nowMs() + round.forMs;
    let usual = await primariesOf(servers.all);
    let seenMs = nowMs();
    let end: (() => void) | undefined;
    for (let last = usual; nowMs() < untilMs; await pause(50)) {
      const startMs = nowMs();
      const primaries = await primariesOf(servers.all);
      if (primaries !== usual) end ??= this.#lose(seenMs - LAG_MS);
      // As many as before, and the same as a moment ago.
      if (end && primaries === last && primaries.length === usual.length) {
        end();
        end = undefined;
        usual = primaries;
      }
      if (!end) seenMs = startMs;
      last = primaries;
    }
    end?.();
  }

  #lose(fromMs: number): () => void {
    const window: [number, number] = [fromMs, Infinity];
    this.lost.push(window);
    return () => {
      window[1] = nowMs();
    };
  }

  /** What happens to processes and to their connections. */
  #near(): [string, ServerFault][] {
    const { workers, gates, round } = this.#it;
    const { maxStalenessMs } = round;
    const frozen =
      (traffic: Traffic): ServerFault =>
      async (random) => {
        const thaw = anyOf(random, gates).map((gate) => gate.freeze(traffic));
        await pause(maxStalenessMs * (0.8 + 1.5 * random()));
        for (const one of thaw) one();
      };
    const cut =
      (traffic: Traffic): ServerFault =>
      async (random) => {
        for (const gate of anyOf(random, gates)) gate.cut(traffic);
      };
    return [
      ["listener frozen", frozen("listeners")],
      [
        "commands held up",
        async (random) => {
          // Shorter than their timeout, so that replies come after what has overtaken them.
          for (let i = 0; i < 8; i++) {
            const thaw = anyOf(random, gates).map((gate) => gate.freeze("commands"));
            await pause(20 + 100 * random());
            for (const one of thaw) one();
            await pause(10);
          }
        },
      ],
      ["listener and commands frozen", frozen("all")],
      ["commands frozen", frozen("commands")],
      ["listener cut", cut("listeners")],
      ["all connections cut", cut("all")],
      ["process frozen", (random) => freeze(anyOf(random, workers), maxStalenessMs * (0.5 + random()))],
      [
        "event loop blocked",
        async (random) => {
          const blockMs = maxStalenessMs * (0.5 + random());
          order(anyOf(random, workers), { blockMs });
          await pause(blockMs);
        },
      ],
      ...(round.setsClocks
        ? ([
            [
              "clock set",
              async (random) => order(anyOf(random, workers), { clockMs: pick(random, [-5_000, 0, 5_000]) }),
            ],
          ] satisfies [string, ServerFault][])
        : []),
    ];
  }

  /** What happens to any server. */
  #general(): [string, ServerFault][] {
    const { servers, round } = this.#it;
    const one = async (random: Random) => anyOf(random, await servers.primary());
    const kill =
      (type: string): ServerFault =>
      async (random) => {
        const { port } = await one(random);
        await command(port, ["CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"], { timeoutMs: ADMIN_MS });
      };
    return [
      ["listeners killed by the server", kill("pubsub")],
      ["clients killed by the server", kill("normal")],
      [
        "server frozen",
        async (random) => {
          const server = await one(random);
          await server.kill("SIGSTOP");
          // Longer, others would take it for dead.
          const longestMs = round.topology === "sentinel" ? 300 : Math.min(1_500, 1.5 * round.maxStalenessMs);
          await pause(longestMs * random());
          await server.kill("SIGCONT");
        },
      ],
      ["FLUSHALL", () => this.#flush()],
    ];
  }

  async #flush(): Promise<void> {
    const startMs = nowMs();
    for (const { port } of await this.#it.servers.primary()) await command(port, ["FLUSHALL"], { timeoutMs: ADMIN_MS });
    const endMs = nowMs();
    this.#losses.push([startMs, endMs]);
    for (const place of PLACES) this.#ends.push({ place, startMs, endMs, process: OUTSIDE, what: "FLUSHALL" });
  }
}

function order(worker: ChildProcess, one: Order): void {
  worker.send(one);
}
