import { chain } from "../core/async.js";
import { show } from "../core/errors.js";
import { filled, missingPackage, optionalPackage } from "../core/runtime.js";
import type { Serializer } from "../core/value-format.js";
import { BIGINT, checkPlain, SmallBigint, toBigint, toPlain } from "./msgpack-values.js";

const loadPackr = optionalPackage(async () => {
  const { addExtension, Packr } = await importPackage();
  // Extensions are shared by the process. This one reads what the package's own one for bigints reads.
  addExtension({ Class: SmallBigint, type: BIGINT, pack: (small: SmallBigint) => small.toBytes(), unpack: toBigint });
  const options = {
    // Records are an extension of msgpackr that other languages can't read.
    useRecords: false,
    mapsAsObjects: true,
    variableMapSize: true,
    encodeUndefinedAsNil: true,
    // Numbers where they are exact, else bigints. The package has this option, its types lack it.
    int64AsType: "auto" as "number",
    // Views would keep the whole reply in memory.
    copyBuffers: true,
  };
  return new Packr(options);
});

async function importPackage(): Promise<typeof import("msgpackr")> {
  try {
    return filled(await import("msgpackr"));
  } catch (cause) {
    throw missingPackage("msgpackr", "msgpack()", cause);
  }
}

/**
 * MessagePack as Python's `msgpack` reads and writes it by default. Needs the package `msgpackr`, which the first use
 * loads.
 *
 * Holds JSON's types, `Date` (Python: `Timestamp`), `Uint8Array` (`bytes`), bigints of up to 64 bits, `NaN` and infinities.
 * Bigints from -2^53 to 2^53 are an extension (Python: `ExtType` 66), since integers of that size are numbers. Maps are
 * plain objects with string keys; an integer key, as Python may write it, becomes its decimal form. Inside a value,
 * `undefined` becomes nil, -0 becomes 0, and an instance becomes a plain object of its fields. docs/values.md has a table.
 *
 * `serialize` throws a `TypeError` for other types, for objects without fields that are not plain, and for text and keys
 * with half of a surrogate pair. The error names the path of the part. `deserialize` validates the bytes first, and throws
 * unless they are exactly one such value.
 * @throws {ConfigurationError} (at the first use) when the package is not installed
 */
export function msgpack(): Serializer {
  return {
    name: "msgpack",
    text: false,
    serialize(value) {
      if (value === undefined) throw new TypeError("MessagePack has no form for undefined; store null");
      const plain = toPlain(value);
      return chain(loadPackr(), (packr) => packr.pack(plain));
    },
    deserialize(stored) {
      if (typeof stored === "string") throw new TypeError(`${show(stored)} is text, not MessagePack; give bytes`);
      checkPlain(stored);
      return chain(loadPackr(), (packr) => packr.unpack(plainBytes(stored)));
    },
  };
}

/** A plain `Uint8Array`, so that binary data in a value is a `Uint8Array` even when `stored` is a Node `Buffer`. */
function plainBytes(stored: Uint8Array): Uint8Array {
  return stored.constructor === Uint8Array
    ? stored
    : new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
