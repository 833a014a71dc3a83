import type { Clock } from "../core/time.js";
import { ALONE_MS, type Interest } from "./interest.js";

/** The bytes of a response's body. */
export type Body = ReadableStream<Uint8Array>;

/** How long a lease is renewed while the origin makes the body. */
export const LONGEST_BODY_MS = 60_000;

/** All bytes of a body, or why it can't be stored. */
export type Collected = Uint8Array | "too-large" | "cut-short";

export interface Collecting {
  /** Maximum size in bytes; a larger body is passed on and not stored. */
  readonly limit: number;
  /** The value of Content-Length; a body of another length was truncated. */
  readonly expected: number | undefined;
  readonly clock: Clock;
  /** Ended when the body is given up; what is made after that is not stored. */
  readonly interest: Interest;
  /** Called once, when the result is known. The end of the body is held back until its promise settles. */
  readonly done: (collected: Collected) => Promise<unknown> | undefined;
}

/**
 * Passes a body on, and collects it up to a limit. Up to the limit it is read as fast as the origin makes it, so that a slow
 * client does not delay the store. Beyond the limit the client sets the pace. When the client leaves, the rest is read for
 * the store.
 */
export class Collector {
  readonly stream: Body;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #options: Collecting;
  /** `undefined` when the body can't be stored any more. */
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
      // One more than the limit: a stream that is full reads no further, and would not see the end of a body of that size.
      { highWaterMark: options.limit + 1, size: (chunk) => chunk.byteLength ?? 1 },
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
    // A body that fails is already reported as truncated.
    Promise.all([rest(), late()]).catch(() => {});
  }

  async #giveUp(): Promise<void> {
    this.#givenUp = true;
    this.#options.interest.end();
    await this.#reader.cancel();
  }

  /** One read at a time: in workerd, streams such as the bodies of fetch() refuse a second pending read. */
  #next(): Promise<Uint8Array | undefined> {
    const next = this.#reads.then(() => this.#read());
    this.#reads = next.catch(() => {});
    return next;
  }

  async #read(): Promise<Uint8Array | undefined> {
    const result = await this.#reader.read().catch((error: unknown) => {
      void this.#end("cut-short");
      throw error;
    });
    if (result.done) {
      await this.#complete();
      return undefined;
    }
    this.#keep(result.value);
    // A client that knows the length has the whole body now, although the stream has not ended.
    if (this.#size === this.#options.expected) await this.#complete();
    return result.value;
  }

  #keep(chunk: Uint8Array): void {
    if (!this.#chunks) return;
    this.#size += chunk.length;
    // Chunks that are not bytes are passed on for the host to refuse.
    if (this.#size > this.#options.limit || !(chunk instanceof Uint8Array)) void this.#end("too-large");
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
    this.#options.interest.complete();
    return this.#options.done(collected);
  }
}

/** Reads a whole body for the store alone. Never rejects. */
export function readAll(body: Body | null, options: Omit<Collecting, "done">): Promise<Collected> {
  if (!body) return Promise.resolve(options.expected ? "cut-short" : new Uint8Array());
  return new Promise((resolve) => {
    const done = (collected: Collected): undefined => resolve(collected) as undefined;
    new Collector(body, { ...options, done }).drain();
  });
}

/** A byte range of a body. @param left called when the rest is not needed */
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
