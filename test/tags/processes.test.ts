import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { nowMs } from "../promises/model.ts";
import { pick, type Random, randomFrom } from "../promises/operations.ts";
import { freeze } from "../promises/stage.ts";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import type { Event, Kept, Part, Purge, Read } from "./process.ts";

/** Longer with a number of seconds in the environment. */
const SECONDS = Number(process.env.ROUNDS_SECONDS ?? 14);
const SEED = Number(process.env.ROUNDS_SEED ?? Math.floor(Math.random() * 1e9));
const PREFIX = "tagged";
const LOG = `${PREFIX}:1:`;
const KEPT: Kept = "kept";
const MAX_STALENESS_MS = 500;
const HOUR_MS = 3_600_000;
const CLOCKS_MS = [-HOUR_MS, 0, HOUR_MS];

type Kind = readonly [client: Part["client"], near: "no near cache" | "a near cache"];

const KINDS: readonly Kind[] = [
  ["default", "no near cache"],
  ["herd", "no near cache"],
  ["default", "a near cache"],
  ["herd", "a near cache"],
];

/** The log was deleted, alone or with all entries. */
interface Loss {
  readonly startMs: number;
  readonly endMs: number;
  readonly isFlush: boolean;
  readonly hadLog: boolean;
}

/** What the processes of a round did, by the name of each, and what happened to them. */
interface History {
  readonly isNear: boolean;
  readonly events: readonly (readonly [process: string, event: Event])[];
  readonly losses: readonly Loss[];
}

/** Processes that call, are frozen, killed, and robbed of the log, for a while. */
class Round implements AsyncDisposable {
  readonly #server: ValkeyServer;
  readonly #folder: string;
  readonly #kind: Kind;
  readonly #seed: number;
  readonly #random: Random;
  readonly #names: string[] = [];
  readonly #running: ChildProcess[] = [];
  readonly #losses: Loss[] = [];

  private constructor(server: ValkeyServer, folder: string, kind: Kind, seed: number) {
    this.#server = server;
    this.#folder = folder;
    this.#kind = kind;
    this.#seed = seed;
    this.#random = randomFrom(seed);
  }

  static async open(kind: Kind, seed: number): Promise<Round> {
    const folder = await mkdtemp(join(tmpdir(), "tags-"));
    return new Round(await startValkey(), folder, kind, seed);
  }

  async play(forMs: number): Promise<History> {
    for (const i of CLOCKS_MS.keys()) this.#running[i] = this.#start(i);
    await until(async () => (await Promise.all(this.#names.map((name) => this.#size(name)))).every(Boolean), {
      what: "the first calls of all processes",
      timeoutMs: 20_000,
    });
    const faults = [this.#freeze, this.#kill, this.#freeze, this.#deleteLog, this.#freeze, this.#flush];
    const endMs = nowMs() + forMs;
    for (let i = Math.floor(this.#random() * faults.length); nowMs() < endMs; i++) {
      await pause(50 + this.#random() * 300);
      await faults[i % faults.length]?.call(this);
    }
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
    return { isNear: this.#kind[1] === "a near cache", events: events.flat(), losses: this.#losses };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.#server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #start(i: number): ChildProcess {
    const number = this.#names.length;
    const name = `process-${number}`;
    this.#names.push(name);
    const [client, near] = this.#kind;
    const part: Part = {
      ...{ name, client, keyPrefix: PREFIX, location: this.#server.url, file: this.#file(name) },
      maxStalenessMs: near === "a near cache" ? MAX_STALENESS_MS : undefined,
      ...{ transport: (this.#seed + number) % 2 === 0 ? "glide" : "iovalkey", clockMs: CLOCKS_MS[i] ?? 0 },
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

  async #kill(): Promise<void> {
    const i = this.#any();
    await killed(this.#running[i]);
    this.#running[i] = this.#start(i);
  }

  async #deleteLog(): Promise<void> {
    await this.#lose(false, ["DEL", LOG]);
  }

  async #flush(): Promise<void> {
    const script = "local had = redis.call('EXISTS', KEYS[1]) redis.call('FLUSHALL') return had";
    await this.#lose(true, ["EVAL", script, "1", LOG]);
  }

  /** @param words a command whose reply is 1 where there was a log */
  async #lose(isFlush: boolean, words: readonly [string, ...string[]]): Promise<void> {
    const startMs = nowMs();
    const hadLog = (await command(this.#server.port, words)) === 1;
    this.#losses.push({ startMs, endMs: nowMs(), isFlush, hadLog });
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

function eventsOf<W extends Event["what"]>({ events }: History, what: W): [string, Extract<Event, { what: W }>][] {
  return events.flatMap(([process, event]) => (isOf(event, what) ? [[process, event]] : []));
}

function isOf<W extends Event["what"]>(event: Event, what: W): event is Extract<Event, { what: W }> {
  return event.what === what;
}

/**
 * When the call began that made each value, and when its load did, or at the latest: for a value that is written by `set`, when
 * that had ended. The log was read in between.
 */
function beginnings(history: History): Map<string, { readonly callMs: number; readonly bornMs: number }> {
  return new Map(
    [...eventsOf(history, "load"), ...eventsOf(history, "set")].map(([, { id, startMs, endMs }]) => [
      id,
      { callMs: startMs, bornMs: endMs },
    ]),
  );
}

/** Whether a read shared a call of its own process that began before a moment: callers of one key share one call. */
function joined(
  reads: readonly (readonly [process: string, read: Read])[],
  process: string,
  read: Read,
  beforeMs: number,
) {
  return reads.some(
    ([by, one]) =>
      by === process &&
      one !== read &&
      one.method === "getOrSet" &&
      one.key === read.key &&
      one.found?.id === read.found?.id &&
      one.startMs <= beforeMs &&
      one.endMs >= read.startMs,
  );
}

const applies = ({ tags, match }: Purge, to: readonly string[]): boolean =>
  match === "all" ? tags.every((tag) => to.includes(tag)) : tags.some((tag) => to.includes(tag));

/** Reads that were answered with a value that had been purged, or was older than a log that was lost. */
function wronglyAnswered(history: History): string[] {
  const { isNear, losses } = history;
  const began = beginnings(history);
  const reads = eventsOf(history, "read");
  const purges = eventsOf(history, "purge");
  return reads.flatMap(([process, read]) => {
    const { found, method, startMs, endMs } = read;
    const birth = found ? began.get(found.id) : undefined;
    if (!found || !birth) return [];
    const { callMs, bornMs } = birth;
    const lagMs = (other?: string): number => (isNear && other !== process ? MAX_STALENESS_MS : 0);
    const lost = losses.filter((loss) => loss.hadLog && loss.startMs < endMs);
    // Its stamp may be of the log that was lost: then it counts as softly purged.
    const mayBeStale = lost.some((loss) => loss.endMs + lagMs() > callMs);
    const purge = purges.find(([by, one]) => {
      if (one.startMs <= bornMs || one.endMs + lagMs(by) >= startMs || !applies(one.purge, found.tags)) return false;
      if (method !== "getOrSet") return true;
      // What counts as softly purged is answered while it is loaded again.
      return !one.purge.soft && !mayBeStale && !joined(reads, process, read, one.endMs + lagMs(by));
    });
    const loss =
      method === "getOrSet" ? undefined : lost.find((one) => one.startMs > bornMs && one.endMs + lagMs() < startMs);
    const older = (ms: number): string =>
      `${(startMs - ms).toFixed(1)} ms after it, born ${(ms - bornMs).toFixed(1)} ms before`;
    return [
      ...(purge ? [`${process} ${describe(read)} in spite of ${JSON.stringify(purge)}, ${older(purge[1].endMs)}`] : []),
      ...(loss ? [`${process} ${describe(read)} in spite of ${JSON.stringify(loss)}, ${older(loss.endMs)}`] : []),
    ];
  });
}

function describe({ method, key, found }: Read): string {
  return `${method}(${key}): ${JSON.stringify(found)}`;
}

/** Loads of a value that had been stored with tags that were not purged hard: it should have been there, at least as a stale one. */
function wronglyMissing(history: History): string[] {
  const flushes = history.losses.filter(({ isFlush }) => isFlush);
  const sets = eventsOf(history, "set");
  return eventsOf(history, "load").flatMap(([process, { key, isMissing, startMs, endMs }]) => {
    if (!isMissing || !key.startsWith(KEPT)) return [];
    const set = sets.find(
      ([, one]) =>
        one.key === key &&
        one.endMs < startMs &&
        !flushes.some((flush) => flush.endMs > one.startMs && flush.startMs < endMs),
    );
    return set ? [`${process} found nothing of ${key} after ${JSON.stringify(set)}`] : [];
  });
}

it.each(KINDS)(
  "processes whose clocks are hours apart return nothing that was purged, and lose nothing else: client %s, %s",
  async (...kind) => {
    await using round = await Round.open(kind, SEED);
    const history = await round.play((SECONDS * 1_000) / KINDS.length);
    expect(wronglyAnswered(history).slice(0, 5), `seed ${SEED}`).toEqual([]);
    expect(wronglyMissing(history).slice(0, 5), `seed ${SEED}`).toEqual([]);
    // Enough has happened for that to mean something.
    expect(eventsOf(history, "purge").length).toBeGreaterThan(10);
    expect(eventsOf(history, "read").filter(([, { found, loaded }]) => found && !loaded).length).toBeGreaterThan(100);
    expect(history.losses.some(({ hadLog }) => hadLog)).toBe(true);
  },
  (SECONDS + 60) * 1_000,
);
