import { untilAborted } from "../core/async.js";
import type { Body } from "../http/body.js";

/** A caller's signal, for one call alone: a signal may outlive many calls, and must not collect their listeners. */
export class CallSignal {
  readonly #outer: AbortSignal;
  readonly #own = new AbortController();
  #isGuarding = false;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    outer.addEventListener("abort", this.#abort);
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** The response, until its body ends; rejects with the caller's reason when the caller aborts first. */
  async race(work: Promise<Response>): Promise<Response> {
    const discard = (late: Response): unknown => this.signal.aborted && late.body?.cancel().catch(() => {});
    work.then(discard, () => {});
    try {
      return await untilAborted(work, this.signal);
    } finally {
      if (!this.#isGuarding) this.#release();
    }
  }

  /** A body that fails with the caller's reason when the caller aborts. */
  guard(body: Body): Body {
    this.#isGuarding = true;
    const reader = body.getReader();
    const { signal } = this;
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          const abort = (): void => {
            controller.error(signal.reason);
            reader.cancel(signal.reason).catch(() => {});
          };
          signal.addEventListener("abort", abort, { once: true });
        },
        pull: async (controller) => {
          const { done, value } = await reader.read().catch((error: unknown) => {
            this.#release();
            throw error;
          });
          if (signal.aborted) return;
          if (!done) return controller.enqueue(value);
          this.#release();
          controller.close();
        },
        cancel: (reason) => {
          this.#release();
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  readonly #abort = (): void => {
    this.#own.abort(this.#outer.reason);
    this.#release();
  };

  #release(): void {
    this.#outer.removeEventListener("abort", this.#abort);
  }
}
