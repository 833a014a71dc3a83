import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { Body } from "../http/body.js";

/** What a handler has sent, as onSend hooks get it: a text, bytes, a stream, or nothing. */
export class Payload {
  readonly value: unknown;
  /** All bytes, where they are known. */
  readonly bytes: Uint8Array | undefined;
  #isRead = false;

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
    if (isNodeStream(value)) return this.#lazy(() => iterate(value));
    return isWebStream(value) ? this.#lazy(() => value.values()) : null;
  }

  #lazy(open: () => AsyncIterator<unknown>): Body {
    let chunks: AsyncIterator<unknown> | undefined;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          this.#isRead = true;
          chunks ??= open();
          const { done, value } = await chunks.next();
          if (done) controller.close();
          else controller.enqueue(typeof value === "string" ? Buffer.from(value) : (value as Uint8Array));
        },
        cancel: async () => {
          this.#isRead = true;
          if (isNodeStream(this.value)) this.value.destroy();
          else if (chunks) await chunks.return?.();
          else this.#cancel();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends a stream that was not read. */
  discard(): void {
    if (!this.#isRead) this.#cancel();
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

function iterate(stream: Readable): AsyncIterator<unknown> {
  return (Symbol.asyncIterator in stream ? stream : new Readable().wrap(stream))[Symbol.asyncIterator]();
}

/** A web stream as a payload: read as fast as the client reads, and cancelled when the client leaves. */
export function toReadable(body: Body): Readable {
  return Readable.fromWeb(body as NodeReadableStream);
}

/** Has no bytes. With it, Fastify leaves the Content-Length of a response to HEAD as it is. */
export function noBytes(): Readable {
  return Readable.from([], { objectMode: false });
}
