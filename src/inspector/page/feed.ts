import type { Info, Live, LiveEvent } from "../api.js";
import { getEvents, getJson, ServerError } from "./backend.js";
import { History } from "./history.js";

/** How the page hears of the service. */
export type Connection =
  | { readonly state: "connecting" | "open" | "paused" }
  /** The service doesn't answer; `sinceMs`: since when. */
  | { readonly state: "waiting"; readonly sinceMs: number; readonly retryMs: number; readonly reason: string }
  /** `authorize` refuses this browser. */
  | { readonly state: "refused"; readonly status: number; readonly reason: string };

/** Between two attempts: twice as long after each, up to the longest. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A stream that is silent for so long is dead: the server writes each second. */
const SILENCE_MS = 10_000;
/** So long after the page was hidden the stream ends. */
const HIDDEN_MS = 20_000;
const KEPT_EVENTS = 500;

/** Follows the service: its live figures, what of them is kept, and the connection's state. */
export class Feed {
  info: Info | undefined;
  live: Live | undefined;
  connection: Connection = { state: "connecting" };
  readonly process = new History();
  readonly fleet = new History();
  /** The newest first. */
  events: readonly LiveEvent[] = [];
  /** When the service was found to be another process than before. */
  restartedMs: number | undefined;
  /** Since when the store can't be reached. */
  storeGoneMs: number | undefined;
  readonly openedMs = Date.now();
  /** The server's clock minus the browser's, which may be wrong. */
  #clockMs = 0;
  #attempt: AbortController | undefined;
  #wake: (() => void) | undefined;
  #hiding: number | undefined;
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    document.addEventListener("visibilitychange", () => this.#onVisibility());
  }

  /** The server's time. */
  now(): number {
    return Date.now() + this.#clockMs;
  }

  /** Connects at once, without the rest of the wait. */
  retry(): void {
    if (this.#wake) this.#wake();
    else if (this.connection.state !== "open") this.#attempt?.abort();
  }

  /** Follows the service until the page is closed. */
  async run(): Promise<never> {
    let failures = 0;
    for (;;) {
      if (this.connection.state === "paused") await this.#sleep(undefined);
      const attempt = new AbortController();
      this.#attempt = attempt;
      try {
        for await (const live of this.#connect(attempt)) {
          failures = 0;
          this.#take(live);
        }
        throw new ServerError("The service has ended the connection.", 0);
      } catch (error) {
        if (this.connection.state !== "paused") {
          const waitMs = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS);
          failures += 1;
          await this.#afterFailure(error, waitMs);
        }
      } finally {
        attempt.abort();
      }
    }
  }

  async *#connect(attempt: AbortController): AsyncGenerator<Live> {
    let timer = 0;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(new ServerError("The service has stopped sending.", 0)), SILENCE_MS);
    };
    watch();
    try {
      // Anew with each connection: another process has another token.
      const info = await getJson<Info>("api/info", attempt.signal);
      if (this.info && this.info.processId !== info.processId) this.restartedMs = Date.now();
      this.info = info;
      this.#onChange();
      for await (const live of getEvents<Live>("api/live", "live", attempt.signal)) {
        watch();
        yield live;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take(live: Live): void {
    this.#clockMs = live.atMs - Date.now();
    this.live = live;
    this.connection = { state: "open" };
    this.process.add(live.atMs, live.process.now);
    if (live.fleet) this.fleet.add(live.atMs, live.fleet.now);
    this.storeGoneMs = live.process.breaker === "open" ? (this.storeGoneMs ?? live.atMs) : undefined;
    if (live.events.length > 0) this.events = [...live.events.toReversed(), ...this.events].slice(0, KEPT_EVENTS);
    this.#onChange();
  }

  async #afterFailure(error: unknown, waitMs: number): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof ServerError && error.isRefusal) {
      this.connection = { state: "refused", status: error.status, reason };
      this.#onChange();
      await this.#sleep(undefined);
      this.connection = { state: "connecting" };
      this.#onChange();
      return;
    }
    const sinceMs = this.connection.state === "waiting" ? this.connection.sinceMs : Date.now();
    this.connection = { state: "waiting", sinceMs, retryMs: Date.now() + waitMs, reason };
    this.#onChange();
    await this.#sleep(waitMs);
  }

  #sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** A page that isn't seen leaves the service in peace, so that it can stop counting. */
  #onVisibility(): void {
    clearTimeout(this.#hiding);
    if (document.visibilityState === "hidden") {
      this.#hiding = setTimeout(() => this.#pause(), HIDDEN_MS);
    } else if (this.connection.state === "paused") {
      this.connection = { state: "connecting" };
      this.#wake?.();
      this.#onChange();
    } else {
      this.#onChange();
    }
  }

  #pause(): void {
    if (this.connection.state === "refused") return;
    this.connection = { state: "paused" };
    this.#attempt?.abort();
    this.#wake?.();
  }
}
