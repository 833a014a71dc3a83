import { adler32, crc32 } from "./checksums.js";
import { damaged } from "./options.js";

/** What a deflate stream comes in; `deflate` is the bare stream. */
export type Container = "zlib" | "gzip" | "deflate";

/** RFC 1950 §2.2: the method, a window of at most 32 KiB, and a check of these two bytes. */
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

/** Compares what was decompressed with the checksum that follows the stream; a bare stream has none. */
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
