import { Duplex } from "node:stream";
import type { ByteStreams } from "./connector.js";

/** A pair of web streams as the socket that iovalkey takes. */
export class ByteDuplex extends Duplex {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor({ readable, writable }: ByteStreams) {
    super();
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    // The failing read or write reports these errors as well.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  /** iovalkey calls this on sockets. The connector decides about it. */
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {
    this.#reader.read().then(
      ({ done, value }) => void this.push(done ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength)),
      (error: Error) => this.destroy(error),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#writer.write(chunk).then(() => done(), done);
  }

  /** Writes all chunks of a corked stream at once. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), "buffer", done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#writer.close().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const ended = [this.#reader.cancel(error), this.#writer.abort(error)];
    // Errors from closing a discarded stream don't matter.
    void Promise.allSettled(ended).then(() => done(error));
  }
}
