import { timerMs } from "../../core/time.js";

/**
 * Calls `onTimeout` after `ms`, unless it is cleared before.
 *
 * A timer that fires late because the thread was blocked says nothing about the server: replies that arrived meanwhile are
 * still unread. So the deadline ends one turn of the event loop after its timer.
 */
export class Deadline {
  #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number, onTimeout: () => void) {
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(onTimeout, 1);
    }, timerMs(ms));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** A deadline that can be cancelled. */
export interface Clearable {
  clear(): void;
}

/**
 * Deadlines of one length. They end in the order in which they start, so one timer serves all of them. The timer stays
 * armed when they are cleared, as nearly all are. A timer for each would cost a lone command more than its own work.
 */
export class Deadlines {
  readonly #ms: number;
  /** In the order in which they end. */
  readonly #pending = new Queue();
  #isArmed = false;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Calls `onTimeout` after `ms`, unless it is cleared before. */
  start(ms: number, onTimeout: () => void): Clearable {
    if (ms !== this.#ms) return new Deadline(ms, onTimeout);
    // The entry that arms the timer needs no time of its own, as it has ended when the timer fires. This saves a process
    // that sends one command from loading `performance`.
    const entry = new Pending(this.#pending, this.#isArmed ? performance.now() + ms : 0, onTimeout);
    if (!this.#isArmed) this.#arm(ms);
    return entry;
  }

  #arm(ms: number): void {
    this.#isArmed = true;
    const timer: unknown = setTimeout(() => setTimeout(() => this.#endDue(), 1), ms);
    // Commands in progress keep the process alive; a leftover timer must not.
    if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
      timer.unref();
  }

  #endDue(): void {
    this.#isArmed = false;
    const nowMs = performance.now();
    for (let { first } = this.#pending; first; first = this.#pending.first) {
      if (first.endMs > nowMs) {
        this.#arm(first.endMs - nowMs);
        return;
      }
      first.end();
    }
  }
}

/** A linked list whose entries hold the links: adding and removing costs less than the hashing of a Set. */
class Queue {
  first: Pending | undefined;
  last: Pending | undefined;
}

class Pending implements Clearable {
  readonly endMs: number;
  #queue: Queue | undefined;
  #previous: Pending | undefined;
  #next: Pending | undefined;
  #onTimeout: (() => void) | undefined;

  constructor(queue: Queue, endMs: number, onTimeout: () => void) {
    this.endMs = endMs;
    this.#queue = queue;
    this.#onTimeout = onTimeout;
    this.#previous = queue.last;
    if (queue.last) queue.last.#next = this;
    else queue.first = this;
    queue.last = this;
  }

  clear(): void {
    const queue = this.#queue;
    if (!queue) return;
    if (this.#previous) this.#previous.#next = this.#next;
    else queue.first = this.#next;
    if (this.#next) this.#next.#previous = this.#previous;
    else queue.last = this.#previous;
    // Removed entries in the old generation would keep all that they reference alive, replies included.
    this.#queue = undefined;
    this.#previous = undefined;
    this.#next = undefined;
    this.#onTimeout = undefined;
  }

  end(): void {
    const onTimeout = this.#onTimeout;
    this.clear();
    onTimeout?.();
  }
}

/** Settles as `work` does, or rejects with `timeoutError()` after `ms`. The outcome of `work` after that is ignored. */
export function withDeadline<T>(work: Promise<T>, ms: number, timeoutError: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = new Deadline(ms, () => reject(timeoutError()));
    work.then(resolve, reject).finally(() => deadline.clear());
  });
}

/** Time left until just before the deadline of the whole dial, whose error has no cause. */
export function timeLeftMs(endMs: number): number {
  return Math.max(0, endMs - 10 - performance.now());
}
