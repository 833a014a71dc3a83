import { show } from "../core/errors.js";

/** Where a value is inside of the one that is stored: the keys that lead to it. */
type Path = readonly (string | number)[];

/**
 * The value with only what MessagePack itself knows: integers beyond 32 bits as bigints, which are written as integers
 * and not as floats, and `toJSON()` applied. What has no such parts is returned as it is.
 * @throws TypeError naming the place of what the format does not know
 */
export function toPlain(value: unknown): unknown {
  try {
    return plain(value, []);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TypeError(`${show(value)} refers to itself, or is too deep; store plain data without cycles`, { cause });
  }
}

function plain(value: unknown, path: Path): unknown {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) && (value > 0xffff_ffff || value < -0x8000_0000) ? BigInt(value) : value;
    case "bigint":
      if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) return value;
      throw refused(value, path, "has integers of up to 64 bits; store it as a string");
    case "object":
      return value === null ? value : plainObject(value, path);
    case "function":
    case "symbol":
      throw refused(value, path, "holds data alone; leave it out");
    default:
      return value;
  }
}

function plainObject(value: object, path: Path): unknown {
  if (Array.isArray(value)) return plainArray(value, path);
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) {
    if (Number.isFinite(value.getTime())) return value;
    throw refused(value, path, "has no invalid dates; leave it out");
  }
  const toJSON: unknown = Reflect.get(value, "toJSON");
  if (typeof toJSON === "function") return plain(toJSON.call(value, String(path.at(-1) ?? "")), path);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw refused(value, path, "has plain bytes alone; give a Uint8Array, or use structuredClone()");
  }
  if ([Map, Set, WeakMap, WeakSet, RegExp, Error, Promise].some((kind) => value instanceof kind)) {
    throw refused(
      value,
      path,
      "has maps with string keys, arrays and plain values; convert it, or use structuredClone()",
    );
  }
  return plainRecord(value, path);
}

/** Copied only from the first element on that changes. */
function plainArray(value: readonly unknown[], path: Path): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < value.length; index++) {
    const element = value[index];
    const next = isScalar(element) ? element : plain(element, [...path, index]);
    if (next !== element) copy ??= value.slice();
    if (copy) copy[index] = next;
  }
  return copy ?? value;
}

function plainRecord(value: object, path: Path): object {
  let copy: Record<string, unknown> | undefined;
  for (const [key, element] of Object.entries(value)) {
    if (key === "__proto__") throw refused(value, path, 'readers refuse or rename the key "__proto__"; rename it');
    const next = isScalar(element) ? element : plain(element, [...path, key]);
    if (next !== element) copy ??= { ...value };
    if (copy) copy[key] = next;
  }
  return copy ?? value;
}

/** The common cases, told apart before a path is made for them. */
function isScalar(value: unknown): boolean {
  if (typeof value === "number") return (value | 0) === value;
  return typeof value === "string" || typeof value === "boolean" || value === null;
}

function refused(value: unknown, path: Path, why: string): TypeError {
  const at = path.length === 0 ? "" : ` (at ${path.map((key) => show(key)).join(" → ")})`;
  return new TypeError(`MessagePack has no form for ${show(value)}${at}: it ${why}`);
}
