import type { Cache } from "../../cache/cache.js";
import { watchFleet } from "../../inspect/fleet.js";
import { listKeys } from "../../inspect/list.js";
import type { FleetLive, FleetSecond } from "../../inspect/live.js";
import type { KeyBatch } from "../../inspect/port.js";
import { type ServerSample, ServerSampler } from "./server-sample.js";

/** One look at a cache and its server. */
export interface TopSample {
  readonly atMs: number;
  /** `undefined` while the server can't be reached, or an ACL refuses INFO. */
  readonly server: ServerSample | undefined;
  /** Processes that report, and what they count; `undefined` while the server can't be reached. */
  readonly fleet: FleetLive | undefined;
  /** Leases on missing entries, where no process reports: of so many keys that were looked at. */
  readonly seenLeases: { readonly keys: readonly string[]; readonly scanned: number } | undefined;
  /** Why something is missing. */
  readonly error: string | undefined;
}

/** How many batches of keys a sample looks at, as a whole database would take too long. */
const BATCHES = 4;
const BATCH = 500;

/** Takes samples of a cache, and watches the processes that report. */
export class Sampler {
  readonly #cache: Cache;
  readonly #server: ServerSampler;
  readonly #signal: AbortSignal;
  #second: FleetSecond | undefined;
  #watchError: string | undefined;

  constructor(cache: Cache, signal: AbortSignal) {
    this.#cache = cache;
    this.#server = new ServerSampler(cache.connection);
    this.#signal = signal;
    void this.#watch();
  }

  /** Whether there is a process that reports. */
  get hasFleet(): boolean {
    return (this.#second?.fleet?.processes.length ?? 0) > 0;
  }

  async take(): Promise<TopSample> {
    const atMs = Date.now();
    try {
      const server = await this.#server.take();
      const seenLeases = this.hasFleet ? undefined : await this.#leases();
      const error = this.#second?.error ?? this.#watchError;
      return { atMs, server, fleet: this.#second?.fleet, seenLeases, error };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return { atMs, server: undefined, fleet: this.#second?.fleet, seenLeases: undefined, error: text };
    }
  }

  async #watch(): Promise<void> {
    try {
      for await (const second of watchFleet(this.#cache, { signal: this.#signal })) this.#second = second;
    } catch (error) {
      if (!this.#signal.aborted) this.#watchError = error instanceof Error ? error.message : String(error);
    }
  }

  /** Leases on entries that have no value yet, among the first keys of a scan. */
  async #leases(): Promise<TopSample["seenLeases"]> {
    const keys: string[] = [];
    let scanned = 0;
    let batches = 0;
    const selection = { version: this.#cache.parts.settings.version };
    for await (const batch of listKeys(this.#cache, selection, { scanCount: BATCH, signal: this.#signal })) {
      scanned = batch.scanned;
      keys.push(...loading(batch));
      if (++batches === BATCHES) break;
    }
    return { keys, scanned };
  }
}

function loading({ rows }: KeyBatch): string[] {
  return rows.filter(({ kind }) => kind === "lease").map(({ key, storedKey }) => key ?? storedKey);
}
