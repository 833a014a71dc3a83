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

/**
 * Settles as `work` does, or rejects with `late()` after `ms`, or when `givenUp` fires. What `work` does after that is
 * nobody's business.
 */
export function withDeadline<T>(work: Promise<T>, ms: number, late: () => Error, givenUp?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      deadline.clear();
      reject(givenUp?.reason);
    };
    const deadline = new Deadline(ms, () => reject(late()));
    givenUp?.addEventListener("abort", end, { once: true });
    work.then(resolve, reject).finally(() => {
      deadline.clear();
      givenUp?.removeEventListener("abort", end);
    });
  });
}
