import type { Cache } from "../cache/cache.js";
import { eventsOf } from "../cache/events-of.js";
import { type Command, type Connection, isClosed } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import type { Events, SendAlong } from "../core/events.js";
import { keepsRequestsApart } from "../core/runtime.js";
import { systemClock } from "../core/time.js";
import { type FleetKeys, fleetKeys, fleetOf, OwnSummaries, readSummaries, Seen } from "./fleet-summaries.js";
import type { FleetLive, FleetSecond, ProcessLive } from "./live.js";
import { type Recorder, recorderOf, type Watcher } from "./recorder.js";

/*
 * How the processes of a fleet come to one page. Two keys under the cache's prefix, in one slot of a cluster:
 *
 * - A watcher writes the mark "watched" each second, which expires after a few.
 * - A process that uses its cache looks for the mark every few seconds. While it is there, the process writes its summary into
 *   the hash of summaries each second, and asks for the mark in the same round trip. The hash expires after its last write.
 * - A watcher reads the hash. A summary has a number that grows with each write: it needs no clocks that agree to see that a
 *   process has stopped.
 */

/** How often a process that is used looks whether it is watched. */
const LOOK_MS = 3_000;
/** How long it does not look after the server has refused that. */
const REFUSED_MS = 5 * 60_000;
const SECOND_MS = 1_000;
/** How long the mark stays without a watcher. */
const WATCHED_MS = 5_000;
/** How long summaries stay without a writer. */
const SUMMARIES_MS = 10_000;

const fleets = new WeakMap<Events, Membership>();

/** This process as a member of the fleet of one cache. */
export function membershipOf(cache: Cache, where: string): Membership {
  const events = eventsOf(cache, where);
  const known = fleets.get(events) ?? new Membership(cache, events, recorderOf(cache, where));
  fleets.set(events, known);
  return known;
}

export class Membership {
  readonly #events: Events;
  readonly #recorder: Recorder;
  readonly #keys: FleetKeys | undefined;
  /** How many want this process to report. */
  #reporters = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #reporting: Reporting | undefined;
  #fleet: { readonly atMs: number; readonly read: Promise<FleetLive> } | undefined;
  readonly #seen = new Seen();
  readonly #own = new OwnSummaries();

  constructor(cache: Cache, events: Events, recorder: Recorder) {
    this.#events = events;
    this.#recorder = recorder;
    this.#keys = fleetKeys(cache);
  }

  /** The id of this process. */
  get id(): string {
    return this.#own.id;
  }

  /** This process as its own fleet. */
  alone(live: ProcessLive): FleetLive {
    return fleetOf(this.id, live);
  }

  /** Has this process report itself while the fleet is watched. @returns a function that ends this */
  report(): () => void {
    if (!this.#keys) return () => {};
    this.#reporters++;
    this.#events.used = (send) => this.#used(send);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#reporters--;
      if (this.#reporters > 0) return;
      this.#events.used = undefined;
      this.#end();
    };
  }

  /**
   * Marks the fleet as watched for the next seconds, and reads what its processes report. Watchers of one process share a round trip.
   * @param live of this process, whose summary goes along; absent for a process that is not a part of the application
   */
  watch(connection: Connection, live: ProcessLive | undefined): Promise<FleetLive> {
    const nowMs = performance.now();
    const shares = this.#fleet && nowMs - this.#fleet.atMs < SECOND_MS / 2 && !keepsRequestsApart();
    if (this.#fleet && shares) return this.#fleet.read;
    const read = this.#watch(connection, live);
    this.#fleet = { atMs: nowMs, read };
    return read;
  }

  async #watch(connection: Connection, live: ProcessLive | undefined): Promise<FleetLive> {
    if (!this.#keys) return live ? this.alone(live) : this.#seen.next([]);
    const { watched, summaries } = this.#keys;
    const commands: Command[] = [["SET", watched, "1", "PX", String(WATCHED_MS)]];
    // A process that reports by a timer has written its summary already.
    if (live && !this.#reporting?.isTimed) commands.push(...this.#write(this.#keys, live));
    const [forgotten, ...others] = this.#seen.forgotten;
    if (forgotten !== undefined) commands.push(["HDEL", summaries, forgotten, ...others]);
    commands.push(["HGETALL", summaries]);
    this.#recorder.ownRoundTrips++;
    const replies = await connection.send(commands, { idempotent: true, primary: true });
    const refused = replies.find((reply) => reply instanceof ReplyError);
    // An ACL may not allow it.
    if (refused && live) return this.alone(live);
    if (refused) throw refused;
    return this.#seen.next(readSummaries(replies.at(-1) ?? null));
  }

  /** Called before each round trip of the application. */
  #used(send: SendAlong): void {
    this.#reporting?.used(send);
    if (this.#reporting) return;
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    void this.#look(send);
  }

  async #look(send: SendAlong): Promise<void> {
    if (!this.#keys) return;
    try {
      const [reply] = await send([["EXISTS", this.#keys.watched]]);
      if (reply === 1 && this.#reporters > 0) this.#begin(send);
      if (reply instanceof ReplyError) this.#lookedMs += REFUSED_MS;
    } catch {
      // The application's own command has the same error.
    }
  }

  #begin(send: SendAlong): void {
    const keys = this.#keys;
    if (!keys || this.#reporting) return;
    const watcher = this.#recorder.watch();
    const write = async (by: SendAlong): Promise<void> => {
      const replies = await by([...this.#write(keys, watcher.second().process), ["EXISTS", keys.watched]]);
      if (replies.at(-1) === 0) this.#end();
    };
    this.#reporting = new Reporting(send, { watcher, write, onLost: () => this.#end() });
  }

  #end(): void {
    this.#reporting?.stop();
    this.#reporting = undefined;
  }

  #write({ summaries }: FleetKeys, live: ProcessLive): [string, ...string[]][] {
    return [
      ["HSET", summaries, this.id, this.#own.next(live)],
      ["PEXPIRE", summaries, String(SUMMARIES_MS)],
    ];
  }
}

/** This process reports, until the fleet is not watched any more. */
class Reporting {
  /** Where requests are kept apart, nothing may run between them: each second of use is reported by its own round trip. */
  readonly isTimed = !keepsRequestsApart();
  readonly #watcher: Watcher;
  readonly #write: (send: SendAlong) => Promise<void>;
  readonly #onLost: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isWriting = false;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #failed = 0;

  constructor(
    send: SendAlong,
    {
      watcher,
      write,
      onLost,
    }: {
      readonly watcher: Watcher;
      readonly write: (send: SendAlong) => Promise<void>;
      readonly onLost: () => void;
    },
  ) {
    this.#watcher = watcher;
    this.#write = write;
    this.#onLost = onLost;
    if (!this.isTimed) return;
    this.#timer = setInterval(() => void this.#once(send), SECOND_MS);
    const timer: { unref?(): void } = this.#timer;
    timer.unref?.();
    void this.#once(send);
  }

  used(send: SendAlong): void {
    const nowMs = performance.now();
    if (this.isTimed || nowMs - this.#writtenMs < SECOND_MS) return;
    this.#writtenMs = nowMs;
    void this.#once(send);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#watcher.stop();
  }

  async #once(send: SendAlong): Promise<void> {
    // A store that answers slowly gets no queue of summaries.
    if (this.#isWriting && this.isTimed) return;
    this.#isWriting = true;
    try {
      await this.#write(send);
      this.#failed = 0;
    } catch {
      this.#failed++;
      if (this.#failed >= MOST_FAILURES) this.#onLost();
    } finally {
      this.#isWriting = false;
    }
  }
}

/** After so many failures the mark has expired, and the process looks for it again. */
const MOST_FAILURES = 5;

/** What `watchFleet()` takes. */
export interface WatchOptions {
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * What the processes of an application report each second, while the loop runs. The caller's own process does not count as one
 * of them. A store that can't be reached ends nothing: `fleet` is `undefined` until it answers.
 * @example
 * for await (const { fleet } of watchFleet(cache, { signal })) console.log(fleet?.now.calls);
 */
export async function* watchFleet(cache: Cache, { signal }: WatchOptions = {}): AsyncIterable<FleetSecond> {
  const membership = membershipOf(cache, "watchFleet");
  while (!signal?.aborted) {
    const startedMs = performance.now();
    let fleet: FleetLive | undefined;
    let error: string | undefined;
    try {
      fleet = await membership.watch(cache.connection, undefined);
    } catch (cause) {
      if (isClosed(cache.connection)) return;
      error = cause instanceof Error ? cause.message : String(cause);
    }
    if (signal?.aborted) return;
    yield { atMs: Date.now(), fleet, error };
    await systemClock.sleep(Math.max(0, SECOND_MS - (performance.now() - startedMs)), signal);
  }
}

/**
 * Has this process report to inspectors and to `top` of the command line, while there are any: for processes that mount no
 * `inspector()`, such as workers of a queue. A process whose cache is not used does nothing. @returns a function that ends this
 * @throws TypeError when it is not given a cache
 * @example
 * reportStatistics(cache);
 */
export function reportStatistics(cache: Cache): () => void {
  return membershipOf(cache, "reportStatistics").report();
}
