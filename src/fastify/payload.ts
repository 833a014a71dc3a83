import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { Body } from "../http/body.js";

/** What a handler has sent, as onSend hooks get it: a text, bytes, a stream, or nothing. */
export class Payload {
  readonly value: unknown;
  /** All bytes, where they are known. */
  readonly bytes: Uint8Array | undefined;
  /** The body of a stream, once it is made. */
  #body: Body | undefined;
  #isCancelled = false;

  constructor(value: unknown) {
    this.value = value;
    if (typeof value === "string") this.bytes = Buffer.from(value);
    else if (value instanceof Uint8Array) this.bytes = value;
    // A stream that fails before it is read would end the process.
    if (isNodeStream(value)) value.on("error", () => {});
  }

  /** The body of a web response. A stream is not touched before this body is read. */
  body(): Uint8Array | Body | null {
    const { value, bytes } = this;
    if (bytes) return bytes;
    if (isNodeStream(value)) return this.#lazy(() => fromNode(value));
    return isWebStream(value) ? this.#lazy(() => fromWeb(value)) : null;
  }

  #lazy(open: () => Source): Body {
    let source: Source | undefined;
    this.#body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          source ??= open();
          const { done, value } = await source.next();
          if (done) controller.close();
          else controller.enqueue(typeof value === "string" ? Buffer.from(value) : (value as Uint8Array));
        },
        cancel: () => {
          this.#isCancelled = true;
          if (source) source.cancel();
          else this.#cancel();
        },
      },
      { highWaterMark: 0 },
    );
    return this.#body;
  }

  /** Ends a stream that is not read. */
  discard(): void {
    if (!this.#body?.locked && !this.#isCancelled) this.#cancel();
  }

  #cancel(): void {
    const { value } = this;
    if (isNodeStream(value)) value.destroy();
    else if (isWebStream(value) && !value.locked) value.cancel().catch(() => {});
  }
}

function isNodeStream(value: unknown): value is Readable {
  return typeof value === "object" && value !== null && "pipe" in value && typeof value.pipe === "function";
}

function isWebStream(value: unknown): value is ReadableStream<unknown> {
  return typeof value === "object" && value !== null && "getReader" in value && typeof value.getReader === "function";
}

/** A stream that is being read. */
interface Source {
  next(): Promise<{ readonly done?: boolean; readonly value?: unknown }>;
  cancel(): void;
}

function fromNode(stream: Readable): Source {
  const chunks = (Symbol.asyncIterator in stream ? stream : new Readable().wrap(stream))[Symbol.asyncIterator]();
  return { next: () => chunks.next(), cancel: () => stream.destroy() };
}

function fromWeb(stream: ReadableStream<unknown>): Source {
  const reader = stream.getReader();
  return { next: () => reader.read(), cancel: () => void reader.cancel().catch(() => {}) };
}

/** A web stream as a payload: read as fast as the client reads, and cancelled when the client leaves. */
export function toReadable(body: Body): Readable {
  return Readable.fromWeb(body as NodeReadableStream);
}

/** Has no bytes. With it, Fastify leaves the Content-Length of a response to HEAD as it is. */
export function noBytes(): Readable {
  return Readable.from([], { objectMode: false });
}
