import { show } from "../core/errors.js";
import { chain } from "../core/maybe-promise.js";
import { optionalPackage } from "../core/runtime.js";
import type { Serializer } from "../core/value-format.js";
import { checkPlain, toPlain } from "./msgpack-values.js";

const loadPackr = optionalPackage("msgpackr", "msgpack()", async () => {
  const { Packr } = await import("msgpackr");
  const options = {
    // Records are an extension that other languages don't read.
    useRecords: false,
    mapsAsObjects: true,
    variableMapSize: true,
    encodeUndefinedAsNil: true,
    // Numbers where they are exact, else bigints. The package has this choice, its types lack it.
    int64AsType: "auto" as "number",
    // Views would keep the whole reply in memory.
    copyBuffers: true,
  };
  return new Packr(options);
});

/**
 * MessagePack without any extension but its own timestamp, as Python's `msgpack` with its defaults reads and writes it.
 * Needs the package `msgpackr`, loaded by the first use.
 *
 * Holds what JSON holds, and `Date` (Python: `Timestamp`), `Uint8Array` (`bytes`), bigints of 64 bits, `NaN` and the
 * infinities. Maps of the format are plain objects here, whose keys are strings: an integer key, as Python may write it,
 * becomes its decimal. `undefined` inside a value is stored as nil.
 *
 * `serialize` throws a `TypeError` for all else, saying where in the value it is; `deserialize` throws on bytes that are
 * not exactly one such value, before anything is made of them.
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

/** So that binary data inside comes back as `Uint8Array` also where `stored` is a Node `Buffer`. */
function plainBytes(stored: Uint8Array): Uint8Array {
  return stored.constructor === Uint8Array
    ? stored
    : new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
