import { ConfigurationError, show } from "../core/errors.js";
import type { Serializer } from "../core/value-format.js";
import { findPart, isObject, isOpaque, isPlainData, nameOf, remedyFor } from "./parts.js";

/**
 * V8's structured clone by `node:v8`. Holds `Map`, `Set`, `Date`, `RegExp`, bigints, binary data, nested `undefined`, lone
 * surrogates and cycles. Errors keep their type, message, stack and cause, and instances become plain objects of their
 * fields. docs/values.md has a table. For Node, Deno and Bun; Bun's format differs, so Bun and the others can't read each
 * other's values.
 *
 * Use it only where every writer to the store is trusted: V8 trusts the lengths in the bytes, so forged bytes can take much
 * memory. `serialize` throws a `TypeError` for functions, symbols, promises and the like, and for objects whose contents V8
 * can't see, such as a `Response` or an instance with only private fields, naming the path.
 * `deserialize` throws on bytes of another format.
 * @throws {ConfigurationError} where the runtime has no working `node:v8`
 */
export function structuredClone(): Serializer {
  const v8 = workingV8();
  const noFields = bytesOfNoFields(v8);
  return {
    name: "structuredClone",
    text: false,
    serialize(value) {
      let bytes: Buffer;
      try {
        bytes = v8.serialize(value);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
        throw new TypeError(`${show(value)} can't be cloned: ${reason} Store data without functions and symbols`, {
          cause,
        });
      }
      if (bytes.includes(noFields) && !isPlainData(value)) checkFields(value, v8);
      return bytes;
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

/** How an object without fields is written, without the header that every value has: V8 and Bun have formats of their own. */
function bytesOfNoFields(v8: typeof import("node:v8")): Buffer {
  const [empty, other] = [v8.serialize({}), v8.serialize(null)];
  return empty.subarray(empty.findIndex((byte, i) => byte !== other[i]));
}

/** @throws TypeError for a part that would be stored as `{}` although it is not a plain object */
function checkFields(value: unknown, v8: typeof import("node:v8")): void {
  const seen = new Set<unknown>();
  const empty = v8.serialize({});
  const found = findPart(value, ({ value: part }, add) => {
    if (!isObject(part) || seen.has(part) || ArrayBuffer.isView(part)) return undefined;
    seen.add(part);
    if (isOpaque(part) && empty.equals(v8.serialize(part))) return remedyFor(part);
    if (part instanceof Set) for (const each of part) add(each, "a member");
    if (part instanceof Map) {
      for (const [key, each] of part) {
        add(key, "a key");
        add(each, key);
      }
    }
    for (const key of Object.keys(part)) add(Reflect.get(part, key), key);
    return undefined;
  });
  if (found) throw new TypeError(`${nameOf(found.part)} can't be cloned: V8 sees no fields of it; ${found.remedy}`);
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
