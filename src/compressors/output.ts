/** The decompressed value exceeds the limit. Decompression stops there. */
export function tooLong(maxLength: number): RangeError {
  return new RangeError(
    `the decompressed value is longer than ${maxLength} bytes; raise maxDecompressedSize if such values are expected`,
  );
}

export function damaged(format: string, reason: string, cause?: unknown): Error {
  return new Error(`not ${format} data, or damaged: ${reason}`, cause === undefined ? undefined : { cause });
}

/** Checks that a stream fills the stored bytes exactly: neither truncated nor followed by other bytes. */
export function checkEnd(format: string, end: number, length: number): void {
  if (end > length) throw damaged(format, "it ends too early");
  if (end < length) throw damaged(format, `it ends ${length - end} bytes before the stored bytes do`);
}

/** A buffer that grows up to a limit. */
export class BoundedBytes {
  readonly #maxLength: number;
  readonly #exceeded: () => Error;
  #bytes: Uint8Array;
  #length = 0;

  /** @param exceeded makes the error that is thrown when the content would exceed `maxLength` */
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

  /** The content, in a buffer of exactly its size. */
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
