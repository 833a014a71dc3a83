import { checkEnd, damaged, tooLong } from "./output.js";

/** The .lzma header: properties, dictionary size, content size. Source: liblzma's lzma-file-format.txt */
const ALONE_HEADER = 13;

/**
 * The format has no signature. As in liblzma, bytes count as .lzma when liblzma's encoders could have written them:
 * properties in range, a dictionary of 2^n or 2^n + 2^(n-1) bytes, a size that is unknown or below 256 GiB, and 0 as the
 * first byte of data.
 */
export function isLzmaAlone(bytes: Uint8Array): boolean {
  if (bytes.length < ALONE_HEADER + 5 || bytes[ALONE_HEADER] !== 0) return false;
  const [properties = 0] = bytes;
  const [literalContext, literalPosition] = [properties % 9, Math.floor(properties / 9) % 5];
  if (properties >= 9 * 5 * 5 || literalContext + literalPosition > 4) return false;
  const dictionary = view(bytes).getUint32(1, true);
  const top = 2 ** Math.floor(Math.log2(dictionary));
  if (dictionary !== top && dictionary !== 1.5 * top) return false;
  const length = aloneLength(bytes);
  return length === undefined || length < 2 ** 38;
}

/** The content length in the header; `undefined` when an end marker is used instead. */
export function aloneLength(bytes: Uint8Array): number | undefined {
  const length = view(bytes).getBigUint64(5, true);
  return length === 2n ** 64n - 1n ? undefined : Number(length);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Source: "The .xz File Format", version 1.2.1; the sizes of checks are in §2.1.1.2. */
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const STREAM_HEADER = 12;
const STREAM_FOOTER = 12;
const CRC = 4;

export function isXz(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

/**
 * The content length of an .xz stream, by the headers of its LZMA2 chunks. A decoder produces exactly these lengths, while
 * the sizes in block headers and index may be missing or wrong.
 * @throws RangeError when it is longer than `maxLength`
 * @throws Error unless `bytes` are exactly one stream
 */
export function xzLength(bytes: Uint8Array, maxLength: number): number {
  const check = CHECK_SIZES[byteAt(bytes, 7) & 0x0f] ?? 0;
  let at = STREAM_HEADER;
  let total = 0;
  // A block begins with the size of its header. A zero begins the index, which follows the last block.
  while (byteAt(bytes, at) !== 0) {
    const data = at + 4 * (byteAt(bytes, at) + 1);
    const { end, length } = chunks(bytes, data);
    total += length;
    if (total > maxLength) throw tooLong(maxLength);
    at = data + 4 * Math.ceil((end - data) / 4) + check;
  }
  checkEnd("xz", indexEnd(bytes, at) + STREAM_FOOTER, bytes.length);
  return total;
}

/** Adds up the lengths of LZMA2 chunks. Source: the control bytes in liblzma's lzma2_decoder.c */
function chunks(bytes: Uint8Array, start: number): { end: number; length: number } {
  let at = start;
  let length = 0;
  for (let control = byteAt(bytes, at); control !== 0; control = byteAt(bytes, at)) {
    const low = 256 * byteAt(bytes, at + 1) + byteAt(bytes, at + 2) + 1;
    if (control >= 0x80) {
      length += 65_536 * (control & 0x1f) + low;
      const compressed = 256 * byteAt(bytes, at + 3) + byteAt(bytes, at + 4) + 1;
      at += (control >= 0xc0 ? 6 : 5) + compressed;
    } else if (control <= 2) {
      length += low;
      at += 3 + low;
    } else {
      throw damaged("xz", "it has a chunk of an unknown kind");
    }
  }
  return { end: at + 1, length };
}

/** §4: a zero, the number of records, two numbers each, padding to a multiple of four, a checksum. */
function indexEnd(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = byteAt(bytes, at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  for (let left = 2 * number(); left > 0; left--) number();
  return start + 4 * Math.ceil((at - start) / 4) + CRC;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw damaged("xz", "it ends too early");
  return byte;
}
