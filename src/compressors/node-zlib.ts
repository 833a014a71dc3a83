import { ConfigurationError } from "../core/errors.js";
import { checkEnd, damaged, tooLong } from "./output.js";

type NodeZlib = typeof import("node:zlib");

/** The runtime's zlib, where there is one: three to ten times as fast as fflate. Not an import, so bundlers ignore it. */
export function nodeZlib(): NodeZlib | undefined {
  return globalThis.process?.getBuiltinModule?.("node:zlib");
}

/** @throws {ConfigurationError} naming `factory` and the runtimes that have the function */
export function builtin<K extends keyof NodeZlib>(name: K, factory: string, runtimes: string): NodeZlib[K] {
  const found = nodeZlib()?.[name];
  if (typeof found === "function") return found;
  throw new ConfigurationError(
    `${factory} needs ${name} of node:zlib, which this runtime does not have; use ${runtimes}, or zlib()`,
  );
}

type SyncFunction<O> = (bytes: Uint8Array, options: O) => Uint8Array;

/** The result of `node:zlib` with `info: true`. */
interface WithInfo {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** The largest limit that every supported version of Node accepts. */
const MAX_OUTPUT_LENGTH = 2 ** 31 - 1;

export function compressWith<O>(run: SyncFunction<O>, bytes: Uint8Array, options: O): Uint8Array {
  const result = run(bytes, options);
  // A short result is a view of a 16 KiB chunk, which it would keep in memory for as long as it is stored.
  return result.buffer.byteLength > 2 * result.length ? new Uint8Array(result) : result;
}

/** @throws RangeError or Error unless `bytes` are exactly one stream of at most `maxLength` bytes */
export function decompressWith<O extends object>(
  run: SyncFunction<O & { info: true; maxOutputLength: number }>,
  format: string,
  bytes: Uint8Array,
  maxLength: number,
  options: O,
): Uint8Array {
  const { buffer, engine } = inform(() => {
    const maxOutputLength = Math.min(Math.max(maxLength, 1), MAX_OUTPUT_LENGTH);
    return run(bytes, { ...options, info: true, maxOutputLength }) as unknown as WithInfo;
  });
  if (buffer.length > maxLength) throw tooLong(maxLength);
  checkEnd(format, engine.bytesWritten, bytes.length);
  return buffer;

  function inform(work: () => WithInfo): WithInfo {
    try {
      return work();
    } catch (cause) {
      if (cause instanceof Error && Reflect.get(cause, "code") === "ERR_BUFFER_TOO_LARGE") throw tooLong(maxLength);
      throw damaged(format, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }
}
