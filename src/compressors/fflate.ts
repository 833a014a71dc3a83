import type * as Fflate from "fflate";
import { chain, type MaybePromise } from "../core/async.js";
import { missingPackage, optionalPackage } from "../core/runtime.js";
import { type Container, checkSum, streamIn } from "./deflate-containers.js";
import { BoundedBytes, damaged } from "./output.js";

const loadFflate = optionalPackage(async () => {
  try {
    return await import("fflate");
  } catch (cause) {
    throw missingPackage("fflate", "zlib(), gzip() or deflate()", cause);
  }
});

/** The levels as fflate's types name them. -1 means 6, as in zlib. */
const LEVELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

/** Pure JavaScript, for runtimes without `node:zlib`. */
export function compressByFflate(container: Container, bytes: Uint8Array, level: number): MaybePromise<Uint8Array> {
  return chain(loadFflate(), (fflate) => {
    const options = { level: LEVELS[level] ?? 6 };
    if (container === "zlib") return fflate.zlibSync(bytes, options);
    if (container === "gzip") return fflate.gzipSync(bytes, { ...options, mtime: 0 });
    return fflate.deflateSync(bytes, options);
  });
}

/** fflate neither bounds its output nor checks checksums and trailing bytes, so this function does. */
export function decompressByFflate(
  container: Container,
  bytes: Uint8Array,
  maxLength: number,
): MaybePromise<Uint8Array> {
  const stream = streamIn(container, bytes);
  return chain(loadFflate(), (fflate) => {
    const result = inflate(fflate, container, stream, maxLength);
    if (container === "deflate") checkWhole(fflate, stream, maxLength);
    checkSum(container, bytes, result);
    return result;
  });
}

/** In bytes. Input is fed in pieces so small that each produces at most about a megabyte. */
const PIECE = 1024;

function inflate(fflate: typeof Fflate, format: string, stream: Uint8Array, maxLength: number): Uint8Array {
  const output = new BoundedBytes(maxLength);
  const inflater = new fflate.Inflate((chunk) => output.append(chunk));
  try {
    let at = 0;
    for (; at + PIECE < stream.length; at += PIECE) inflater.push(stream.subarray(at, at + PIECE));
    inflater.push(stream.subarray(at), true);
  } catch (cause) {
    if (cause instanceof RangeError) throw cause;
    throw damaged(format, cause instanceof Error ? cause.message : String(cause), cause);
  }
  return output.toBytes();
}

/** A bare stream has no checksum. It is complete, without trailing bytes, when it fails without its last byte. */
function checkWhole(fflate: typeof Fflate, stream: Uint8Array, maxLength: number): void {
  try {
    inflate(fflate, "deflate", stream.subarray(0, -1), maxLength);
  } catch {
    return;
  }
  throw damaged("deflate", "it ends before the stored bytes do");
}
