import { ConfigurationError, show } from "../core/errors.js";
import type { Serializer } from "../core/value-format.js";

/**
 * V8's structured clone, as `node:v8` has it: holds `Map`, `Set`, `Date`, `RegExp`, errors, bigints, binary data,
 * `undefined`, cycles. For Node, Deno and Bun; the last neither reads what the others wrote nor the other way round.
 *
 * Only for a store that nobody hostile can write to: reading made-up bytes can take much memory, as V8 believes the
 * lengths in them. `serialize` throws a `TypeError` for functions, symbols, promises and the like; `deserialize` throws
 * on bytes of another format.
 * @throws {ConfigurationError} where the runtime has no working `node:v8`
 */
export function structuredClone(): Serializer {
  const v8 = workingV8();
  return {
    name: "structuredClone",
    text: false,
    serialize(value) {
      try {
        return v8.serialize(value);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
        throw new TypeError(`${show(value)} can't be cloned: ${reason} Store data without functions and symbols`, {
          cause,
        });
      }
    },
    deserialize(stored) {
      if (typeof stored === "string") {
        throw new TypeError("text is not a structured clone; give the bytes that serialize() made");
      }
      // Binary data comes back as views of the input: of a copy, so that changing them can't change what a store holds.
      return v8.deserialize(new Uint8Array(stored));
    },
  };
}

function workingV8(): typeof import("node:v8") {
  try {
    const v8 = process.getBuiltinModule("node:v8");
    v8.serialize(null); // Some runtimes have the module, with functions that only throw.
    return v8;
  } catch (cause) {
    throw new ConfigurationError(
      "structuredClone() needs node:v8, which this runtime does not have; use json() or msgpack() here",
      { cause },
    );
  }
}
