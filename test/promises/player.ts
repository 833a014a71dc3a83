import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { type Cache, CacheError, ConnectionError } from "valkey-edge-cache";
import { CACHES, type Call, type Log, nowMs, type Place, type Rejection, type Report } from "./model.ts";
import { AWAY, COUNTERS, ENTRIES, HOME, type Operation, placeOf, type Random, randomOperation } from "./operations.ts";
import { LoaderFailed, Performance } from "./performance.ts";

export interface Play {
  readonly forMs: number;
  readonly callers: number;
  readonly random: Random;
}

/** A call that settles later than this counts as one that never does. */
const NEVER_MS = 10_000;
const TICK_MS = 10;

/** The call that runs, for the store errors that it meets. */
export const running = new AsyncLocalStorage<Call>();

/** Calls one cache at random from several callers, and logs what it answers. */
export class Player {
  readonly calls: Call[] = [];
  readonly reports: Report[] = [];
  readonly unhandled: string[] = [];
  /** Errors that a caller or `onError` got, with their causes. */
  readonly #heard: Set<unknown>;
  readonly #cache: number;
  #stalledMs = 0;
  /** When the event loop last came round. */
  #tickedMs = 0;

  constructor(cache: number, heard = new Set<unknown>()) {
    this.#cache = cache;
    this.#heard = heard;
  }

  readonly onError = (error: unknown, { method, key }: { method: string; key: string }): void => {
    this.#hear(error);
    this.reports.push({ cache: this.#cache, atMs: nowMs(), method, key, error: String(error) });
  };

  async play(cache: Cache, { forMs, callers, random }: Play): Promise<Omit<Log, "storeErrors">> {
    const onUnhandled = (error: unknown): void => void this.unhandled.push(String(error));
    process.on("unhandledRejection", onUnhandled);
    this.#tickedMs = nowMs();
    const watch = setInterval(() => {
      this.#stalledMs = this.#stalled();
      this.#tickedMs = nowMs();
    }, TICK_MS);
    const endMs = nowMs() + forMs;
    const caller = async (): Promise<void> => {
      while (nowMs() < endMs) {
        await this.#call(cache, randomOperation(random));
        await pause(random() < 0.7 ? 0 : random() * 20);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    const closing = nowMs();
    const stalledMs = this.#stalled();
    const closed = await within(cache.close(), NEVER_MS);
    const closedAfterMs = closed ? nowMs() - closing - (this.#stalled() - stalledMs) : undefined;
    const openAfterClose = await this.#callClosed(cache);
    clearInterval(watch);
    process.off("unhandledRejection", onUnhandled);
    const { calls, reports, unhandled } = this;
    return { calls, reports, unhandled, closedAfterMs, openAfterClose };
  }

  async #call(cache: Cache, operation: Operation): Promise<void> {
    const sweeps = /^(clear|flush|deletePattern)$/.test(operation.method);
    const places = sweeps ? swept(operation) : operation.keys.map((key) => placeOf(operation, key));
    const call: Call = {
      ...{ cache: this.#cache, operation, startMs: nowMs(), stalledMs: -this.#stalled(), places },
      ...{ reads: [], writes: {}, loads: [], changed: [] },
    };
    this.calls.push(call);
    const abort = operation.abortAfterMs === undefined ? undefined : new AbortController();
    const reason = new Error("the caller left");
    const fire = (): void => {
      call.firedMs = nowMs();
      abort?.abort(reason);
    };
    if (operation.abortAfterMs === 0) fire();
    const timer = abort && !abort.signal.aborted ? setTimeout(fire, operation.abortAfterMs) : undefined;
    const performance = new Performance({ cache, call, signal: abort?.signal, newId: () => this.#newId() });
    const work = running
      .run(call, () => performance.run())
      .then(
        () => this.#settled(call),
        (error: unknown) => {
          this.#settled(call);
          this.#hear(error);
          call.rejection = rejection(error, reason);
        },
      );
    await within(work, NEVER_MS);
    clearTimeout(timer);
  }

  /** How long the event loop has stood still, a pause that has just ended included. */
  #stalled(): number {
    const gapMs = nowMs() - this.#tickedMs;
    return this.#stalledMs + (gapMs > 3 * TICK_MS ? gapMs : 0);
  }

  #hear(error: unknown): void {
    for (let each = error; each instanceof Error; each = each.cause) this.#heard.add(each);
  }

  #settled(call: Call): void {
    call.endMs = nowMs();
    call.stalledMs += this.#stalled();
    call.isDoubtful = this.reports.some(({ atMs, method }) => atMs >= call.startMs && method === call.operation.method);
  }

  /** The calls after `close()` that neither reject with a `ConnectionError` nor, when errors are ignored, report one. */
  async #callClosed(cache: Cache): Promise<string[]> {
    const calls = {
      get: () => cache.get("a"),
      set: () => cache.set("a", 1),
      getOrSet: () => cache.getOrSet("a", () => 1),
      getOrSetMany: () => cache.getOrSetMany(["a"], () => ({ a: 1 })),
      keys: () => cache.keys(),
      "sets.add": () => cache.sets.add("set:1", [1]),
    };
    const before = this.reports.length;
    const failed = await Promise.all(
      Object.entries(calls).map(async ([name, run]) => {
        const error = await run().catch((thrown: unknown) => thrown);
        this.#hear(error);
        const isReported = this.reports.some(
          ({ method }, i) => i >= before && method === name && !name.startsWith("getOrSet"),
        );
        return error instanceof ConnectionError || isReported ? [] : [`${name}: ${String(error)}`];
      }),
    );
    return failed.flat();
  }

  /** Unique in all processes of a test. */
  #newId(): number {
    return ++lastNumber * CACHES + this.#cache;
  }
}

let lastNumber = 100_000;

function swept(operation: Operation): Place[] {
  const { method, prefix = HOME.prefix, version = HOME.version } = operation;
  const all = [...ENTRIES, ...COUNTERS].flatMap((key) =>
    [HOME.prefix, AWAY.prefix].flatMap((p) => [HOME.version, AWAY.version].map((v) => ({ p, v, key }))),
  );
  const hit = all.filter(({ p, v, key }) => {
    if (method === "flush") return true;
    if (method === "clear") return p === prefix;
    return p === prefix && v === version && key === operation.keys[0];
  });
  return hit.map(({ p, v, key }) => placeOf({ prefix: p, version: v }, key));
}

function rejection(error: unknown, reason: Error): Rejection {
  const { name, message } = error instanceof Error ? error : { name: typeof error, message: String(error) };
  const kind =
    error === reason
      ? "signal"
      : error instanceof LoaderFailed
        ? "loader"
        : error instanceof CacheError
          ? "library"
          : error instanceof TypeError
            ? "arguments"
            : "unknown";
  return { name, message, kind };
}

/** Whether work settles in time. */
function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const controller = new AbortController();
  const settled = work.then(
    () => true,
    () => true,
  );
  const late = pause(ms, false, { signal: controller.signal }).catch(() => false);
  return Promise.race([settled, late]).finally(() => controller.abort());
}
