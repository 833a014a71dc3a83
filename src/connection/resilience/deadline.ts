/**
 * Calls `late` after `ms`, unless it is cleared before.
 *
 * A timer that fires because the thread was blocked says nothing about the server: replies that came meanwhile are still
 * to be read. So it is over one turn of the event loop after the timer.
 */
export class Deadline {
  #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number, late: () => void) {
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(late, 1);
    }, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** What ends a wait before its deadline. */
export interface Clearable {
  clear(): void;
}

/**
 * Deadlines of one length: the first to begin is the first to end, so one timer serves all, and is left armed when they
 * are cleared, which nearly all are. A timer each would cost a lone command more than its own work.
 */
export class Deadlines {
  readonly #ms: number;
  /** In the order of their ends. */
  readonly #waiting = new Queue();
  #isArmed = false;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Calls `late` after `ms`, unless it is cleared before. */
  start(ms: number, late: () => void): Clearable {
    if (ms !== this.#ms) return new Deadline(ms, late);
    // What arms the timer is over when that fires. To ask for the time loads a part of Node, and a process that sends one
    // command and ends has no use for it.
    const waiting = new Waiting(this.#waiting, this.#isArmed ? performance.now() + ms : 0, late);
    if (!this.#isArmed) this.#arm(ms);
    return waiting;
  }

  #arm(ms: number): void {
    this.#isArmed = true;
    const timer: unknown = setTimeout(() => setTimeout(() => this.#end(), 1), ms);
    // What is waited for keeps the process alive; a timer that is left over must not.
    if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
      timer.unref();
  }

  #end(): void {
    this.#isArmed = false;
    const nowMs = performance.now();
    for (let { first } = this.#waiting; first; first = this.#waiting.first) {
      if (first.atMs > nowMs) {
        this.#arm(first.atMs - nowMs);
        return;
      }
      first.end();
    }
  }
}

/** A list of its members' own links: to join and to leave it costs less than a Set takes to hash them. */
class Queue {
  first: Waiting | undefined;
  last: Waiting | undefined;
}

class Waiting implements Clearable {
  readonly atMs: number;
  #queue: Queue | undefined;
  #before: Waiting | undefined;
  #after: Waiting | undefined;
  #late: (() => void) | undefined;

  constructor(queue: Queue, atMs: number, late: () => void) {
    this.atMs = atMs;
    this.#queue = queue;
    this.#late = late;
    this.#before = queue.last;
    if (queue.last) queue.last.#after = this;
    else queue.first = this;
    queue.last = this;
  }

  clear(): void {
    const queue = this.#queue;
    if (!queue) return;
    if (this.#before) this.#before.#after = this.#after;
    else queue.first = this.#after;
    if (this.#after) this.#after.#before = this.#before;
    else queue.last = this.#before;
    // What has left and grown old would be taken for alive by the collector with all that it leads to: the reply, in the end.
    this.#queue = undefined;
    this.#before = undefined;
    this.#after = undefined;
    this.#late = undefined;
  }

  end(): void {
    const late = this.#late;
    this.clear();
    late?.();
  }
}

/** Settles as `work` does, or rejects with `late()` after `ms`. What `work` does after that is nobody's business. */
export function withDeadline<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = new Deadline(ms, () => reject(late()));
    work.then(resolve, reject).finally(() => deadline.clear());
  });
}
