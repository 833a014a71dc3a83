import { show } from "../core/errors.js";
import { toText } from "../core/text.js";
import type { Serializer } from "../core/value-format.js";

/**
 * JSON text, which every language reads. As with `JSON.stringify`, nested values lose types that JSON lacks: a `Date`
 * becomes a string, `undefined` is left out, a `Map` becomes `{}`. Where that matters, use `structuredClone()` or
 * `msgpack()`.
 *
 * `serialize` throws a `TypeError` for values that JSON can't hold at all: `undefined`, functions, symbols, `NaN`,
 * infinities, bigints at any depth, cycles, and maps, sets, binary data, promises, regular expressions and errors.
 * `deserialize` throws a `TypeError` on bytes that are not UTF-8, and a `SyntaxError` on text that is not JSON.
 */
export function json(): Serializer {
  return { name: "json", text: true, serialize, deserialize };
}

function serialize(value: unknown): string {
  const remedy = whyNot(value);
  if (remedy) throw new TypeError(`JSON has no form for ${show(value)}; ${remedy}`);
  const text = stringify(value);
  if (text === undefined) throw new TypeError(`JSON has no form for ${show(value)}: its toJSON() returned none`);
  return text;
}

function deserialize(stored: string | Uint8Array): unknown {
  return JSON.parse(typeof stored === "string" ? stored : toText(stored));
}

/** The remedy for a value that JSON can't hold; `undefined` for values that `JSON.stringify` handles. */
function whyNot(value: unknown): string | undefined {
  switch (typeof value) {
    case "undefined":
      return "store null for a known absence";
    case "function":
    case "symbol":
      return "store plain data";
    case "bigint":
      return "convert it to a string, or use structuredClone()";
    case "number":
      return Number.isFinite(value) ? undefined : "use structuredClone() or msgpack()";
    case "object":
      return value === null ? undefined : whyNotObject(value);
    default:
      return undefined;
  }
}

/** JSON would silently turn these into `{}` or an object of numbered keys. */
function whyNotObject(value: object): string | undefined {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === Array.prototype) return undefined;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "use msgpack() or structuredClone()";
  if ("toJSON" in value) return undefined;
  if (value instanceof Promise) return "await it first";
  const lost = [Map, Set, WeakMap, WeakSet, WeakRef, RegExp, Error].some((kind) => value instanceof kind);
  return lost ? "use structuredClone(), or convert it to plain objects and arrays" : undefined;
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new TypeError(
      `JSON has no form for ${show(value)}: ${reason}; leave out bigints and cycles, or use structuredClone()`,
      { cause },
    );
  }
}
