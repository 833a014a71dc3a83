import { tooLong } from "./failures.js";

/** Bytes that grow as they are made, up to a limit. */
export class BoundedBytes {
  readonly #maxLength: number;
  #bytes: Uint8Array;
  #length = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
    this.#bytes = new Uint8Array(Math.min(maxLength, 1024));
  }

  get length(): number {
    return this.#length;
  }

  /** @throws RangeError when it becomes longer than the limit */
  append(chunk: Uint8Array): void {
    this.#reserve(chunk.length);
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  /** @throws RangeError when it becomes longer than the limit */
  fill(byte: number, count: number): void {
    this.#reserve(count);
    this.#bytes.fill(byte, this.#length, this.#length + count);
    this.#length += count;
  }

  /** A copy of just the right size. */
  toBytes(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#maxLength) throw tooLong(this.#maxLength);
    const grown = new Uint8Array(Math.min(Math.max(needed, 2 * this.#bytes.length), this.#maxLength));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
