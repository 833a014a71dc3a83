import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { nowMs } from "../promises/model.ts";
import { pick, type Random, randomFrom } from "../promises/operations.ts";
import { freeze } from "../promises/stage.ts";
import { type ServerFault, type Servers, START } from "../staleness/topologies.ts";
import { command } from "../support/command.js";
import type { ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import type { Event, History, Loss } from "./history.ts";
import type { Part } from "./process.ts";

const PREFIX = "tagged";
const LOG = `${PREFIX}:1:`;
const MAX_STALENESS_MS = 500;
const HOUR_MS = 3_600_000;
const CLOCKS_MS = [-HOUR_MS, 0, HOUR_MS];
const ADMIN = { timeoutMs: 10_000 };
/** A user that may not publish what it purges, nor hear what others publish. */
const QUIET = ["quiet", "on", ">secret", "~*", "+@all", "resetchannels", "&__redis__:invalidate"];

export interface Kind {
  readonly topology: "standalone" | "cluster" | "sentinel";
  readonly client: Part["client"];
  readonly isNear: boolean;
}

/** Processes that call, are frozen, killed, and robbed of the log, and whose servers fail over, for a while. */
export class Round implements AsyncDisposable {
  readonly #servers: Servers;
  readonly #folder: string;
  readonly #kind: Kind;
  readonly #seed: number;
  readonly #random: Random;
  readonly #names: string[] = [];
  readonly #running: ChildProcess[] = [];
  readonly #losses: Loss[] = [];
  readonly #failovers: { readonly startMs: number; endMs: number }[] = [];

  private constructor(servers: Servers, folder: string, kind: Kind, seed: number) {
    this.#servers = servers;
    this.#folder = folder;
    this.#kind = kind;
    this.#seed = seed;
    this.#random = randomFrom(seed);
  }

  static async open(kind: Kind, seed: number): Promise<Round> {
    const folder = await mkdtemp(join(tmpdir(), "tags-"));
    return new Round(await START[kind.topology](), folder, kind, seed);
  }

  async play(forMs: number): Promise<History> {
    const servers = await this.#servers.primary();
    await Promise.all(servers.map(({ port }) => command(port, ["ACL", "SETUSER", ...QUIET], ADMIN)));
    for (const i of CLOCKS_MS.keys()) this.#running[i] = this.#start(i);
    await until(async () => (await Promise.all(this.#names.map((name) => this.#size(name)))).every(Boolean), {
      what: "the first calls of all processes",
      timeoutMs: 20_000,
    });
    const { topology } = this.#kind;
    const faults = [
      topology === "standalone" ? this.#freeze : this.#failOver,
      ...[this.#kill, this.#deleteLog, this.#disturb, this.#freeze, this.#flush],
    ];
    const endMs = nowMs() + forMs;
    const first = Math.floor(this.#random() * faults.length);
    // Each of them once at least.
    for (let i = 0; nowMs() < endMs || i < faults.length; i++) {
      await pause(50 + this.#random() * 300);
      await faults[(first + i) % faults.length]?.call(this);
    }
    await pause(MAX_STALENESS_MS);
    if (this.#running.some(({ exitCode }) => exitCode !== null)) {
      throw new Error("a process has ended by itself; what it says is above");
    }
    await this.#end();
    const events = await Promise.all(
      this.#names.map(async (name) =>
        (await this.#text(name))
          .split("\n")
          .slice(0, -1)
          .map((line): [string, Event] => [name, JSON.parse(line)]),
      ),
    );
    const lagMs = this.#kind.isNear ? MAX_STALENESS_MS : 0;
    return { lagMs, events: events.flat(), losses: this.#losses, failovers: this.#failovers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.#servers[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #start(i: number): ChildProcess {
    const number = this.#names.length;
    const name = `process-${number}`;
    this.#names.push(name);
    const { topology, client, isNear } = this.#kind;
    const alone = (this.#seed + number) % 2 === 0 ? "glide" : "iovalkey";
    const { where } = this.#servers;
    const isQuiet = topology === "standalone" && number % 3 === 1;
    const location = isQuiet ? where.location.map((url) => url.replace("://", "://quiet:secret@")) : where.location;
    const part: Part = {
      ...{ name, client, keyPrefix: PREFIX, where: { ...where, location }, file: this.#file(name) },
      maxStalenessMs: isNear ? MAX_STALENESS_MS : undefined,
      transport: topology === "standalone" ? alone : topology,
      clockMs: CLOCKS_MS[i] ?? 0,
      seed: this.#seed * 31 + number,
    };
    return fork(fileURLToPath(new URL("process.ts", import.meta.url)), [JSON.stringify(part)]);
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #text(name: string): Promise<string> {
    return readFile(this.#file(name), "utf8").catch(() => "");
  }

  #size(name: string): Promise<number> {
    return stat(this.#file(name)).then(
      ({ size }) => size,
      () => 0,
    );
  }

  #any(): number {
    return pick(this.#random, [0, 1, 2]);
  }

  async #freeze(): Promise<void> {
    const one = this.#running[this.#any()];
    if (one) await freeze(one, 50 + this.#random() * 1.5 * MAX_STALENESS_MS);
  }

  /** A server that does not answer for a while, or closes its connections. */
  async #disturb(): Promise<void> {
    const { all } = this.#servers;
    const server = all[Math.floor(this.#random() * all.length)];
    const type = pick(this.#random, ["normal", "pubsub", undefined]);
    if (type) await command(server?.port ?? 0, ["CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"], ADMIN);
    else {
      await server?.kill("SIGSTOP");
      // Sentinels fail over after half a second.
      await pause(50 + this.#random() * (this.#kind.topology === "sentinel" ? 200 : 1_000));
      await server?.kill("SIGCONT");
    }
  }

  async #kill(): Promise<void> {
    const i = this.#any();
    await killed(this.#running[i]);
    this.#running[i] = this.#start(i);
  }

  async #deleteLog(): Promise<void> {
    await this.#lose(false, "local had = redis.call('DEL', KEYS[1])");
  }

  async #flush(): Promise<void> {
    await this.#lose(true, "local had = redis.call('EXISTS', KEYS[1]) redis.call('FLUSHALL')");
  }

  /** @param script which sets `had` to 1 where there was a log */
  async #lose(isFlush: boolean, script: string): Promise<void> {
    const startMs = nowMs();
    const primaries = await this.#servers.primary();
    const replies = await Promise.all(
      primaries.map(async ({ port }) => {
        // Only one node of a cluster has the log.
        const had = await command(port, ["EVAL", `${script} return had`, "1", LOG], ADMIN).catch(() => undefined);
        if (had === undefined && isFlush) await command(port, ["FLUSHALL"], ADMIN);
        return had;
      }),
    );
    this.#losses.push({ startMs, endMs: nowMs(), isFlush, hadLog: replies.includes(1) });
  }

  /** A failover, while processes are frozen. */
  async #failOver(): Promise<void> {
    const [first, ...others] = Object.entries(this.#servers.faults).flatMap(([name, fault]) =>
      /failover|takeover|killed/.test(name) ? [fault] : [],
    );
    if (!first) return;
    const fault: ServerFault = pick(this.#random, [first, ...others]);
    const former = await this.#servers.primary();
    let isOver = false;
    const failing = fault(this.#random, (startMs) => {
      const failover = { startMs, endMs: Infinity };
      this.#failovers.push(failover);
      return () => {
        failover.endMs = nowMs();
      };
    }).finally(() => {
      isOver = true;
    });
    const meanwhile = async (): Promise<void> => {
      while (!isOver) {
        if (this.#kind.topology === "sentinel") await this.#demote(former);
        await this.#freeze();
        await pause(this.#random() * 500);
      }
    };
    await Promise.all([failing, meanwhile()]);
  }

  /** Has a former primary follow the present one, as sentinels do after ten seconds. */
  async #demote(former: readonly ValkeyServer[]): Promise<void> {
    const [primary] = await this.#servers.primary();
    for (const { port } of former) {
      if (!primary || port === primary.port) continue;
      // It may not run yet.
      await command(port, ["REPLICAOF", primary.host, String(primary.port)], ADMIN).catch(() => undefined);
    }
  }

  async #end(): Promise<void> {
    await Promise.all(this.#running.map(killed));
  }
}

async function killed(one: ChildProcess | undefined): Promise<void> {
  if (!one || one.exitCode !== null || one.signalCode !== null) return;
  const ended = once(one, "exit");
  one.kill("SIGKILL");
  await ended;
}
