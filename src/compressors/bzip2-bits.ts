import { BoundedBytes, damaged } from "./options.js";

/** Reads numbers bit by bit, the highest first. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #bits = 0;
  #count = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  /** Where the byte ends that the last bit was of. */
  get end(): number {
    return this.#at;
  }

  /** @param count up to 24 */
  read(count: number): number {
    while (this.#count < count) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw damaged("bz2", "it ends too early");
      this.#bits = (this.#bits << 8) | byte;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#bits >>> this.#count) & ((1 << count) - 1);
  }

  read32(): number {
    return this.read(16) * 65_536 + this.read(16);
  }
}

/** Writes numbers bit by bit, the highest first. */
export class BitWriter {
  readonly #bytes = new BoundedBytes(Number.POSITIVE_INFINITY);
  #bits = 0;
  #count = 0;

  /** @param count up to 24 */
  write(count: number, value: number): void {
    this.#bits = (this.#bits << count) | value;
    this.#count += count;
    while (this.#count >= 8) {
      this.#count -= 8;
      this.#bytes.push((this.#bits >>> this.#count) & 0xff);
    }
  }

  write32(value: number): void {
    this.write(16, value >>> 16);
    this.write(16, value & 0xffff);
  }

  /** What was written, zeros up to the end of the last byte. */
  toBytes(): Uint8Array {
    if (this.#count > 0) this.write(8 - this.#count, 0);
    return this.#bytes.toBytes();
  }
}
