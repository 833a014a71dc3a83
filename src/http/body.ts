import type { Clock } from "../core/time.js";
import { ALONE_MS, type Interest } from "./interest.js";

export type Body = ReadableStream<Uint8Array>;

/** How long a lease is renewed while its response's body is made. */
export const LONGEST_BODY_MS = 60_000;

/** How a body ended: with all its bytes, or why it can't be stored. */
export type Collected = Uint8Array | "too-large" | "cut-short";

export interface Collecting {
  /** In bytes: more is passed on and not kept. */
  readonly limit: number;
  /** What Content-Length says; a body of another length was cut short. */
  readonly expected: number | undefined;
  readonly clock: Clock;
  /** Ends when the body is given up; a body that went on after that is not whole. */
  readonly interest: Interest;
  /** Called once, as soon as it is known. What it returns is waited for before the client has all of the body. */
  readonly done: (collected: Collected) => Promise<unknown> | undefined;
}

/**
 * Passes a body on, and keeps it up to a limit. So far it is read as fast as it comes, so that a slow client keeps nobody
 * waiting for what is stored; beyond the limit as fast as the client takes it. When the client leaves, the rest is read for
 * the store.
 */
export class Collector {
  readonly stream: Body;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #options: Collecting;
  /** `undefined` when it can't be stored any more. */
  #chunks: Uint8Array[] | undefined = [];
  #size = 0;
  #givenUp = false;
  #reads: Promise<unknown> = Promise.resolve();

  constructor(body: Body, options: Collecting) {
    this.#reader = body.getReader();
    this.#options = options;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const chunk = await this.#next();
          if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
        cancel: (reason) => {
          if (this.#chunks) this.drain();
          else return this.#reader.cancel(reason);
        },
      },
      { highWaterMark: options.limit, size: (chunk) => chunk.byteLength ?? 1 },
    );
  }

  /** Reads the rest for the store alone. */
  drain(): void {
    const over = new AbortController();
    const late = async (): Promise<void> => {
      await this.#options.clock.sleep(ALONE_MS, over.signal);
      if (!over.signal.aborted) await this.#giveUp();
    };
    const rest = async (): Promise<void> => {
      try {
        while (this.#chunks && (await this.#next()));
        if (!this.#chunks) await this.#giveUp();
      } finally {
        over.abort();
      }
    };
    // A body that fails has been told of: it is cut short.
    Promise.all([rest(), late()]).catch(() => {});
  }

  async #giveUp(): Promise<void> {
    this.#givenUp = true;
    this.#options.interest.end();
    await this.#reader.cancel();
  }

  /** One read at a time: workerd's own streams, such as the bodies of fetch(), refuse a second one while one is pending. */
  #next(): Promise<Uint8Array | undefined> {
    const next = this.#reads.then(() => this.#read());
    this.#reads = next.catch(() => {});
    return next;
  }

  async #read(): Promise<Uint8Array | undefined> {
    const result = await this.#reader.read().catch((error: unknown) => {
      this.#end("cut-short");
      throw error;
    });
    if (result.done) {
      await this.#complete();
      return undefined;
    }
    this.#keep(result.value);
    // A client that knows the length has all of it now, though the stream has not ended.
    if (this.#size === this.#options.expected) await this.#complete();
    return result.value;
  }

  #keep(chunk: Uint8Array): void {
    if (!this.#chunks) return;
    this.#size += chunk.length;
    // What is no bytes is the host's business.
    if (this.#size > this.#options.limit || !(chunk instanceof Uint8Array)) this.#end("too-large");
    else this.#chunks.push(chunk);
  }

  #complete(): Promise<unknown> | undefined {
    const chunks = this.#chunks;
    if (!chunks) return undefined;
    const { expected, interest } = this.#options;
    if (this.#givenUp || interest.signal.aborted || (expected !== undefined && expected !== this.#size))
      return this.#end("cut-short");
    return this.#end(concat(chunks, this.#size));
  }

  #end(collected: Collected): Promise<unknown> | undefined {
    if (!this.#chunks) return undefined;
    this.#chunks = undefined;
    this.#options.interest.settle();
    return this.#options.done(collected);
  }
}

/** All of a body for the store alone, or why it can't be stored. Never rejects. */
export function readAll(body: Body | null, options: Omit<Collecting, "done">): Promise<Collected> {
  if (!body) return Promise.resolve(options.expected ? "cut-short" : new Uint8Array());
  return new Promise((resolve) => {
    const done = (collected: Collected): undefined => resolve(collected) as undefined;
    new Collector(body, { ...options, done }).drain();
  });
}

/** A part of a body. @param left called when the rest is not wanted */
export function part(body: Body, { start, end }: { start: number; end: number }, left: () => void): Body {
  const reader = body.getReader();
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          const from = Math.max(0, start - at);
          const chunk = value.subarray(from, Math.max(from, end - at));
          at += value.length;
          if (chunk.length > 0) controller.enqueue(chunk);
          if (at >= end) {
            controller.close();
            left();
            return reader.cancel();
          }
          if (chunk.length > 0) return;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
