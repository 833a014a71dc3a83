import { ConfigurationError, show } from "../core/errors.js";
import type { Serializer } from "../core/value-format.js";

/**
 * V8's structured clone by `node:v8`. Holds `Map`, `Set`, `Date`, `RegExp`, errors, bigints, binary data, `undefined` and
 * cycles. For Node, Deno and Bun; Bun's format differs, so Bun and the others can't read each other's values.
 *
 * Use it only where every writer to the store is trusted: V8 trusts the lengths in the bytes, so forged bytes can take much
 * memory. `serialize` throws a `TypeError` for functions, symbols, promises and the like. `deserialize` throws on bytes of
 * another format.
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
      // V8 returns binary data as views of the input. Pass a copy, so that changes to them can't reach the store.
      return v8.deserialize(new Uint8Array(stored));
    },
  };
}

function workingV8(): typeof import("node:v8") {
  try {
    const v8 = process.getBuiltinModule("node:v8");
    v8.serialize(null); // In some runtimes the module's functions only throw.
    return v8;
  } catch (cause) {
    throw new ConfigurationError(
      "structuredClone() needs node:v8, which this runtime does not have; use json() or msgpack() here",
      { cause },
    );
  }
}
