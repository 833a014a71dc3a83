import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  ConnectionError,
  type ConnectionFactory,
  createCache,
  glideCluster,
  iovalkey,
  memory,
} from "valkey-edge-cache";
import { startCluster, type ValkeyCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { FailingOften } from "./failing-often.ts";
import { CACHES, type Call, FOREIGN, History, type Log, nowMs, type Place, valueFor } from "./model.ts";
import { ENTRIES, HOME, pick, placeOf, type Random, randomFrom } from "./operations.ts";
import { type Part, playPart, type Round } from "./round.ts";

const ADMIN_MS = 10_000;

/** What a round showed. */
export interface Played {
  readonly history: History;
  readonly operations: number;
  readonly faults: number;
}

/** A server, a cluster and a second process, for any number of rounds. */
export class Stage implements AsyncDisposable {
  readonly #server: ValkeyServer;
  readonly #cluster: ValkeyCluster;
  readonly #worker: ChildProcess;
  #memories = 0;

  private constructor(server: ValkeyServer, cluster: ValkeyCluster, worker: ChildProcess) {
    this.#server = server;
    this.#cluster = cluster;
    this.#worker = worker;
  }

  static async open(): Promise<Stage> {
    const [server, cluster] = await Promise.all([startValkey(), startCluster()]);
    const worker = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), { serialization: "advanced" });
    await once(worker, "message");
    return new Stage(server, cluster, worker);
  }

  play(round: Round): Promise<Played> {
    return round.transport === "memory" ? this.#inMemory(round) : this.#onServer(round);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.kill("SIGKILL");
    await Promise.all([this.#server.stop(), this.#cluster.stop()]);
  }

  async #inMemory(round: Round): Promise<Played> {
    const random = randomFrom(round.seed);
    const store = memory();
    const failing = round.weather.includes("faults") ? new FailingOften(store, random) : undefined;
    const location = `memory:promises-${++this.#memories}`;
    const foreign = new Foreign(location, store);
    const heard = new Set<unknown>();
    const inProcess = { connectionFactory: failing ?? store, heard };
    const playing = Promise.all([0, 1].map((cache) => playPart({ round, cache, location }, inProcess)));
    const [logs] = await Promise.all([
      playing,
      round.weather.includes("foreign") ? foreign.write(round, random) : undefined,
    ]);
    await foreign.close();
    const history = new History([...logs, foreign.log(failing?.found(heard))]);
    return { history, operations: history.calls.length, faults: failing?.errors.length ?? 0 };
  }

  async #onServer(round: Round): Promise<Played> {
    const random = randomFrom(round.seed);
    const isCluster = round.transport === "cluster";
    const { url: location } = isCluster ? this.#cluster : this.#server;
    const nodes = isCluster ? this.#cluster.nodes : [this.#server];
    for (const { port } of nodes) await command(port, ["FLUSHALL"], { timeoutMs: ADMIN_MS });
    const timeouts = { commandTimeout: 20, connectTimeout: 20 };
    const foreign = new Foreign(location, isCluster ? glideCluster(timeouts) : iovalkey(timeouts));
    const [own, other, , faults] = await Promise.all([
      playPart({ round, cache: 0, location }),
      this.#inWorker({ round, cache: 1, location }),
      round.weather.includes("foreign") ? foreign.write(round, random) : undefined,
      round.weather.includes("faults") ? this.#disturb(nodes, round, random) : 0,
    ]);
    await foreign.close();
    const history = new History([own, other, foreign.log()]);
    return { history, operations: history.calls.length, faults };
  }

  async #inWorker(part: Part): Promise<Log> {
    const played = once(this.#worker, "message");
    this.#worker.send(part);
    const [log] = await played;
    return log as Log;
  }

  /** Faults one after the other, until the round is over. */
  async #disturb(nodes: readonly ValkeyServer[], { forMs }: Round, random: Random): Promise<number> {
    const endMs = nowMs() + forMs;
    let faults = 0;
    const node = (): ValkeyServer => nodes[Math.floor(random() * nodes.length)] as ValkeyServer;
    const admin = (...words: [string, ...string[]]) => command(node().port, words, { timeoutMs: ADMIN_MS });
    const kinds: [() => Promise<unknown>, ...(() => Promise<unknown>)[]] = [
      async () => {
        const stopped = node();
        stopped.kill("SIGSTOP");
        await pause(50 + random() * 350);
        stopped.kill("SIGCONT");
      },
      () => freeze(this.#worker, 50 + random() * 350),
      () => admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
      () => admin("SCRIPT", "FLUSH"),
    ];
    while (nowMs() < endMs - 400) {
      await pause(50 + random() * 150);
      await pick(random, kinds)();
      faults++;
    }
    return faults;
  }
}

/** Stops a process for a while. Another process wakes it up, so that it doesn't stay asleep when this one is ended meanwhile. */
export async function freeze({ pid }: ChildProcess, ms: number): Promise<void> {
  const steps = `kill -STOP ${pid}; sleep ${(ms / 1_000).toFixed(3)}; kill -CONT ${pid}`;
  await once(spawn("sh", ["-c", steps], { stdio: "ignore" }), "exit");
}

/** A connection that writes to the caches' keys without the library. */
class Foreign {
  readonly #calls: Call[] = [];
  readonly #cache;
  #written = 0;

  constructor(location: string, connectionFactory: ConnectionFactory) {
    this.#cache = createCache({ location, connectionFactory });
  }

  async write({ forMs }: Round, random: Random): Promise<void> {
    const endMs = nowMs() + forMs;
    while (nowMs() < endMs) {
      await this.#one(random, pick(random, ENTRIES));
      await pause(random() * 20);
    }
  }

  log(storeErrors: Log["storeErrors"] = []): Log {
    return { calls: this.#calls, reports: [], storeErrors, unhandled: [], closedAfterMs: 0, openAfterClose: [] };
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  async #one(random: Random, key: string): Promise<void> {
    const place: Place = placeOf(HOME, key);
    const id = (1_000_000 + ++this.#written) * CACHES + FOREIGN;
    const write = {
      command: ["SET", place, JSON.stringify(valueFor(id)), "PX", "500"],
      method: "set",
      writes: { [place]: id },
    } as const;
    const raw = pick<{
      command: [string, ...string[]];
      method: "set" | "delete" | "expire";
      writes?: Record<Place, number>;
    }>(random, [
      { ...write, command: [...write.command] },
      { command: ["SET", place, "\u0000garbage", "PX", "200"], method: "set" },
      { command: ["DEL", place], method: "delete" },
      { command: ["PEXPIRE", place, "30"], method: "expire" },
    ]);
    const call: Call = {
      ...{
        cache: FOREIGN,
        operation: { method: raw.method, keys: [key] },
        startMs: nowMs(),
        stalledMs: 0,
        places: [place],
      },
      ...{ reads: [], writes: raw.writes ?? {}, loads: [], changed: [] },
    };
    this.#calls.push(call);
    const error = await this.#cache.connection.send([raw.command]).catch((thrown: unknown) => thrown);
    call.endMs = nowMs();
    if (error instanceof ConnectionError) call.isDoubtful = true;
    else if (raw.method !== "expire") call.changed = [place];
  }
}
