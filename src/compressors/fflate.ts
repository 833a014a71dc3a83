import type * as Fflate from "fflate";
import { chain, type MaybePromise } from "../core/maybe-promise.js";
import { optionalPackage } from "../core/runtime.js";
import { type Container, checkSum, streamIn } from "./deflate-containers.js";
import { BoundedBytes, damaged } from "./options.js";

const loadFflate = optionalPackage("fflate", "zlib(), gzip() or deflate()", () => import("fflate"));

/** In JavaScript alone, for runtimes without node:zlib. */
export function compressByFflate(container: Container, bytes: Uint8Array, level: number): MaybePromise<Uint8Array> {
  return chain(loadFflate(), (fflate) => {
    const options = { level: (level === -1 ? 6 : level) as Fflate.DeflateOptions["level"] & number };
    if (container === "zlib") return fflate.zlibSync(bytes, options);
    if (container === "gzip") return fflate.gzipSync(bytes, { ...options, mtime: 0 });
    return fflate.deflateSync(bytes, options);
  });
}

/** fflate neither bounds what it makes nor looks at checksums or at what follows a stream, so that is done here. */
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

/** Input goes in by pieces so small that even the best compressed one makes no more than about a megabyte. */
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

/** A bare stream has no checksum: it is whole, and nothing follows it, when it can't do without its last byte. */
function checkWhole(fflate: typeof Fflate, stream: Uint8Array, maxLength: number): void {
  try {
    inflate(fflate, "deflate", stream.subarray(0, -1), maxLength);
  } catch {
    return;
  }
  throw damaged("deflate", "it ends before the stored bytes do");
}
