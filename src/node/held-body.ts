import type { Method } from "./messages.js";

/** In bytes, as much as Node's own streams hold. */
const HIGH_WATER_MARK = 16_384;

/** What a handler has asked for: to send bytes, or to send at once what was written. */
export type Step = { readonly chunk: Uint8Array; readonly callback: Method | undefined } | "flush" | "flushHeaders";

interface Reader {
  /** Called when there is room again after `push` has returned false. */
  readonly drained: () => void;
  /** Called when all of the body was read. */
  readonly read: () => void;
  /** Called when the reader wants no more. */
  readonly cancelled: () => void;
}

/** The body that a handler writes, until something reads it. */
export class HeldBody {
  readonly #reader: Reader;
  #steps: Step[] = [];
  #size = 0;
  #isFull = false;
  #hasEnded = false;
  #error: Error | undefined;
  #wake = (): void => {};

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether the handler has to wait before it writes more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  /** @returns whether the handler may write more at once */
  push(step: Step): boolean {
    this.#steps.push(step);
    if (typeof step === "string") return !this.#isFull;
    this.#size += step.chunk.length;
    this.#isFull = this.#size >= HIGH_WATER_MARK;
    this.#wake();
    return !this.#isFull;
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#wake();
  }

  /** All that was not read. */
  takeAll(): Step[] {
    this.#size = 0;
    return this.#steps.splice(0);
  }

  /** Whether the handler has asked, since this was last called, for all to be sent that it has written. */
  takeFlush(): Step | undefined {
    const at = this.#steps.findIndex((step) => typeof step === "string");
    // A chunk before it is still to be read.
    return at === 0 ? this.#steps.shift() : undefined;
  }

  /** Forgets what was not read. Writes go on as if it was. */
  drop(): void {
    for (const step of this.takeAll()) written(step);
    if (this.#isFull) process.nextTick(this.#reader.drained);
    this.#isFull = false;
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          for (;;) {
            if (this.#error) return controller.error(this.#error);
            const chunk = this.#take();
            if (chunk) controller.enqueue(chunk);
            if (this.#hasEnded && this.#size === 0) {
              controller.close();
              return this.#reader.read();
            }
            if (chunk) return;
            await new Promise<void>((resolve) => (this.#wake = resolve));
          }
        },
        cancel: () => this.#reader.cancelled(),
      },
      { highWaterMark: 0 },
    );
  }

  #take(): Uint8Array | undefined {
    const at = this.#steps.findIndex((step) => typeof step !== "string");
    const [step] = at < 0 ? [] : this.#steps.splice(at, 1);
    if (step === undefined || typeof step === "string") return undefined;
    this.#size -= step.chunk.length;
    written(step);
    if (this.#isFull && this.#size === 0) {
      this.#isFull = false;
      process.nextTick(this.#reader.drained);
    }
    return step.chunk;
  }
}

function written(step: Step): void {
  if (typeof step !== "string" && step.callback) process.nextTick(step.callback);
}
