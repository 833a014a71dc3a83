import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createCache } from "valkey-edge-cache";
import { compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import type { Server } from "../harness/server.ts";
import { TTL } from "../near/contenders.ts";
import type { HitCase } from "../near/hits.ts";
import { checkEntries, type Job, type Report, writeEntries } from "./entries.ts";
import { callerCounts, each, type Filled, fill, QUICK } from "./hits.ts";

/** Hits before purges of other tags, and while another process sends a thousand a second. */
export interface FloodHitCase {
  readonly operation: string;
  readonly callers: number;
  readonly contenders: readonly {
    readonly name: string;
    readonly perSecond: number;
    readonly meanwhilePerSecond: number;
    readonly ratio: number;
  }[];
}

/** What so many purges leave behind. */
export interface LogCase {
  readonly purgesPerSecond: number;
  readonly seconds: number;
  readonly entries: number;
  /** In the process that read on, and in a new one. */
  readonly soft: number;
  readonly ended: number;
  readonly logMB: number;
  /** With as many records as a log has at most. */
  readonly fullLogMB: number;
  /** What the server sends to a new process that reads one entry with tags, and to one that reads one without. */
  readonly newProcessBytes: number;
  readonly untaggedProcessBytes: number;
}

const ENTRIES = 10_000;
/** More than a log has records. */
const TO_FILL = 510_000;
const TAGS_OF_PURGE = 5_000;
const BEFORE: Sampling = { rounds: 9, sliceMs: 250 };
/** About as long as the purges. */
const MEANWHILE: Sampling = { rounds: 25, sliceMs: 250 };
/** Near caches read the log again after each purge, so fewer calls pass between two turns of the event loop. */
const NEAR_BURST = 200;
const TAGGED = "flood";
const UNTAGGED = "untagged";
const worker = fileURLToPath(new URL("worker.ts", import.meta.url));

export async function measureFlood(
  server: Server,
  options: BenchOptions,
): Promise<{ hits: FloodHitCase[]; logs: LogCase[] }> {
  if (!isWanted("flood", options)) return { hits: [], logs: [] };
  const { url } = server;
  const cache = createCache({ location: url, ttl: TTL, keyPrefix: TAGGED });
  await writeEntries(cache, ENTRIES);
  assert.equal((await checkEntries(cache, ENTRIES)).good, ENTRIES);
  const contenders: Contenders = {
    server: [await fill(url, false, { keyPrefix: UNTAGGED }), await fill(url, true, { keyPrefix: TAGGED })],
    near: [
      await fill(url, false, { keyPrefix: UNTAGGED, near: "copy" }),
      await fill(url, true, { keyPrefix: TAGGED, near: "copy" }),
    ],
  };
  const before = await measure(contenders, options.quick ? QUICK : BEFORE);
  const purger = start("purge", url, TAGGED);
  await report(purger);
  const startMs = performance.now();
  const meanwhile = await measure(contenders, options.quick ? QUICK : MEANWHILE);
  await sleep(Math.max(0, (options.quick ? 3_000 : 60_000) - (performance.now() - startMs)));
  purger.send("end");
  const { purges = 0, seconds = 0 } = await report(purger);
  for (const one of [...contenders.server, ...contenders.near]) await one.cache.close();

  const key = contenders.server[0]?.keys[0] ?? "";
  const newProcessBytes = await bytesOf(server, TAGGED, key);
  const untaggedProcessBytes = await bytesOf(server, UNTAGGED, key);
  const log = String(cache.purges.key());
  const logMB = await memoryOf(server, log);
  const checks = [await checkEntries(cache, ENTRIES), await report(start("check", url, TAGGED, String(ENTRIES)))];
  const most = (what: "soft" | "ended"): number => Math.max(...checks.map((seen) => seen[what] ?? Number.NaN));
  for (let i = 0; i < (options.quick ? TAGS_OF_PURGE : TO_FILL); i += TAGS_OF_PURGE) {
    await cache.purgeTags(Array.from({ length: TAGS_OF_PURGE }, (_tag, j) => `filling:${i + j}`));
  }
  const fullLogMB = await memoryOf(server, log);
  await cache.close();

  const one: LogCase = {
    purgesPerSecond: purges / seconds,
    seconds,
    entries: ENTRIES,
    soft: most("soft"),
    ended: most("ended"),
    logMB,
    fullLogMB,
    newProcessBytes,
    untaggedProcessBytes,
  };
  const hits = before.map(({ operation, callers, contenders }, i) => ({
    operation,
    callers,
    contenders: contenders.map(({ name, perSecond }, j) => {
      const meanwhilePerSecond = meanwhile[i]?.contenders[j]?.perSecond ?? Number.NaN;
      return { name, perSecond, meanwhilePerSecond, ratio: meanwhilePerSecond / perSecond };
    }),
  }));
  for (const { operation, callers, contenders } of hits) {
    console.log(
      `${operation}, ${callers}: ${contenders.map(({ name, ratio }) => `${name} ${ratio.toFixed(2)}`).join(", ")}`,
    );
  }
  return { hits, logs: [one] };
}

interface Contenders {
  readonly server: readonly Filled[];
  readonly near: readonly Filled[];
}

async function measure({ server, near }: Contenders, sampling: Sampling): Promise<HitCase[]> {
  const cases: HitCase[] = [];
  for (const callers of callerCounts) {
    for (const [operation, filled, burst] of [
      ["get", server, 0],
      ["get, near cache", near, NEAR_BURST / callers],
    ] as const) {
      const contenders = filled.map((one) => each(one, async (key) => assert.ok(await one.cache.get(key))));
      cases.push({
        operation,
        callers,
        contenders: await compare(contenders, callers, { ...sampling, burst }),
      });
    }
  }
  return cases;
}

function start(job: Job, ...args: string[]): ChildProcess {
  return fork(worker, [job, ...args]);
}

/** The next report of another process. */
function report(child: ChildProcess): Promise<Report> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error("another process has ended; what it says is above"));
    child.once("exit", onExit);
    child.once("message", (message) => {
      child.off("exit", onExit);
      resolve(message as Report);
    });
  });
}

/** What the server sends to a new process for its first answer, in bytes. */
async function bytesOf(server: Server, keyPrefix: string, key: string): Promise<number> {
  const sent = async (): Promise<number> =>
    Number(/^total_net_output_bytes:(\d+)/m.exec(String(await server.command("INFO", "stats")))?.[1]);
  const first = await sent();
  const second = await sent();
  const { isAnswered } = await report(start("read", server.url, keyPrefix, key));
  assert.ok(isAnswered, "the entry that a new process reads has gone");
  // The first reply is among what the second says was sent.
  return (await sent()) - second - (second - first);
}

async function memoryOf(server: Server, key: string): Promise<number> {
  return Number(await server.command("MEMORY", "USAGE", key, "SAMPLES", "0")) / 1_000_000;
}
