import { damaged } from "./output.js";

/** The format around a deflate stream; `deflate` is the bare stream. */
export type Container = "zlib" | "gzip" | "deflate";

/** RFC 1950 §2.2: the method, a window of at most 32 KiB, and a checksum of these two bytes. */
export function isZlibHeader(bytes: Uint8Array): boolean {
  const [method = 0, flags = 0] = bytes;
  return bytes.length >= 2 && (method & 0x0f) === 8 && method >> 4 <= 7 && (method * 256 + flags) % 31 === 0;
}

/** RFC 1952 §2.3.1. */
export function isGzipHeader(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/** The deflate stream in `bytes`. */
export function streamIn(container: Container, bytes: Uint8Array): Uint8Array {
  if (container === "deflate") return bytes;
  const [start, end] = container === "zlib" ? [2, bytes.length - 4] : [gzipHeaderLength(bytes), bytes.length - 8];
  const isPresetDictionary = container === "zlib" && ((bytes[1] ?? 0) & 0x20) !== 0;
  const good = container === "zlib" ? isZlibHeader(bytes) && !isPresetDictionary : isGzipHeader(bytes);
  if (!good) throw damaged(container, "its header is wrong");
  if (end <= start) throw damaged(container, "it ends too early");
  return bytes.subarray(start, end);
}

/** What may follow the ten bytes of a header, by its flags (RFC 1952 §2.3.1). */
const HEADER_CRC = 2;
const EXTRA = 4;
const NAME = 8;
const COMMENT = 16;

function gzipHeaderLength(bytes: Uint8Array): number {
  const flags = bytes[3] ?? 0;
  let at = 10;
  if (flags & EXTRA) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const text of [NAME, COMMENT]) {
    if (!(flags & text)) continue;
    while (at < bytes.length && bytes[at] !== 0) at++;
    at++;
  }
  return flags & HEADER_CRC ? at + 2 : at;
}

/** Checks the decompressed bytes against the checksum that follows the stream. A bare stream has none. */
export function checkSum(container: Container, bytes: Uint8Array, result: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length;
  const right =
    container === "deflate" ||
    (container === "zlib"
      ? view.getUint32(end - 4) === adler32(result)
      : view.getUint32(end - 8, true) === crc32(result) && view.getUint32(end - 4, true) === result.length);
  if (!right) throw damaged(container, "its checksum is wrong");
}

/** RFC 1950 §9 */
function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  // 5552 additions can't overflow 32 bits before the remainder is taken.
  for (let start = 0; start < bytes.length; start += 5552) {
    const end = Math.min(start + 5552, bytes.length);
    for (let at = start; at < end; at++) {
      a += bytes[at] ?? 0;
      b += a;
    }
    a %= 65_521;
    b %= 65_521;
  }
  return ((b << 16) | a) >>> 0;
}

let crcTable: Uint32Array | undefined;

/** RFC 1952 §8 */
function crc32(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
    return value;
  });
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}
