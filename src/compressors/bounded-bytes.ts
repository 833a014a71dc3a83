import { tooLong } from "./failures.js";

/** Bytes that grow as they are made, up to a limit. */
export class BoundedBytes {
  readonly #maxLength: number;
  readonly #exceeded: () => Error;
  #bytes: Uint8Array;
  #length = 0;

  /** @param exceeded what is thrown by whatever would make it longer than `maxLength` */
  constructor(maxLength: number, exceeded: () => Error = () => tooLong(maxLength)) {
    this.#maxLength = maxLength;
    this.#exceeded = exceeded;
    this.#bytes = new Uint8Array(Math.min(maxLength, 1024));
  }

  push(byte: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = byte;
  }

  append(chunk: Uint8Array): void {
    if (chunk.length > this.#bytes.length - this.#length) this.#grow(chunk.length);
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  fill(byte: number, count: number): void {
    if (count > this.#bytes.length - this.#length) this.#grow(count);
    this.#bytes.fill(byte, this.#length, this.#length + count);
    this.#length += count;
  }

  /** In memory of just that size. */
  toBytes(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length);
  }

  #grow(count: number): void {
    const needed = this.#length + count;
    if (needed > this.#maxLength) throw this.#exceeded();
    const grown = new Uint8Array(Math.min(Math.max(needed, 2 * this.#bytes.length), this.#maxLength));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
