import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import { systemClock } from "../core/time.js";
import { membershipOf } from "../inspect/fleet.js";
import type { FleetLive, ProcessLive } from "../inspect/live.js";
import { recorderOf, type Watcher } from "../inspect/recorder.js";
import type { Live } from "./api.js";
import { toJson } from "./json.js";

const SECOND_MS = 1_000;
/** How long a second's data waits for what other processes report. */
const FLEET_MS = 700;
/** A client that has read nothing for so long has left, though its connection is still open. */
const UNREAD_MS = 60_000;

export interface LiveOptions {
  /** Whether the client may still watch. Never rejects. */
  isAllowed(): Promise<boolean>;
  readonly authorizeEveryMs: number;
  readonly fleet: boolean;
}

/** Server-sent events: what happens, each second, until the client leaves or may not watch any more. */
export function liveStream(c: Context, cache: Cache, options: LiveOptions): Response {
  c.header("content-type", "text/event-stream; charset=utf-8");
  // Compression would hold events back.
  c.header("cache-control", "no-store, no-transform");
  c.header("x-accel-buffering", "no");
  const watcher = recorderOf(cache, "inspector").watch();
  const stream = new LiveStream(cache, watcher, options);
  const body = new ReadableStream<Uint8Array>(stream, { highWaterMark: 1 });
  c.req.raw.signal.addEventListener("abort", () => stream.cancel(), { once: true });
  return c.body(body);
}

/** The source of a stream. */
class LiveStream {
  readonly #cache: Cache;
  readonly #watcher: Watcher;
  readonly #options: LiveOptions;
  readonly #encoder = new TextEncoder();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  #nextMs = performance.now();
  #authorizedMs = performance.now();
  #readMs = performance.now();
  #pending: Promise<FleetLive | undefined> | undefined;

  constructor(cache: Cache, watcher: Watcher, options: LiveOptions) {
    this.#cache = cache;
    this.#watcher = watcher;
    this.#options = options;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    // What a client does that has lost its connection: it tries again after so many milliseconds.
    controller.enqueue(this.#encoder.encode("retry: 2000\n\n"));
    this.#schedule(controller);
  }

  cancel(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#watcher.stop();
  }

  #schedule(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#isOver) return;
    this.#nextMs = Math.max(this.#nextMs + SECOND_MS, performance.now());
    this.#timer = setTimeout(() => {
      void this.#second(controller).then(() => this.#schedule(controller));
    }, this.#nextMs - performance.now());
  }

  /** Never rejects. */
  async #second(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#authorizedMs >= this.#options.authorizeEveryMs) {
      this.#authorizedMs = nowMs;
      if (!(await this.#options.isAllowed())) return this.#end(controller);
    }
    // A client that reads too slowly misses seconds: what is queued stays one.
    if ((controller.desiredSize ?? 0) <= 0) {
      if (nowMs - this.#readMs > UNREAD_MS) this.#end(controller);
      return;
    }
    this.#readMs = nowMs;
    const { process, events } = this.#watcher.second();
    const fleet = await this.#fleet(process);
    if (this.#isOver) return;
    const live: Live = { atMs: Date.now(), process, fleet, dropped: this.#watcher.dropped, events };
    controller.enqueue(this.#encoder.encode(`event: live\ndata: ${toJson(live)}\n\n`));
  }

  /** `undefined` while the store doesn't answer, which holds nothing else up. */
  async #fleet(process: ProcessLive): Promise<FleetLive | undefined> {
    const membership = membershipOf(this.#cache, "inspector");
    if (!this.#options.fleet) return membership.alone(process);
    if (!this.#pending) {
      this.#pending = membership
        .watch(this.#cache.connection, process)
        .catch(() => undefined)
        .finally(() => {
          this.#pending = undefined;
        });
    }
    const late = new AbortController();
    const fleet = await Promise.race([this.#pending, systemClock.sleep(FLEET_MS, late.signal)]);
    late.abort();
    return fleet ?? undefined;
  }

  #end(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#isOver) return;
    this.cancel();
    controller.close();
  }
}
