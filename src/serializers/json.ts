import { show } from "../core/errors.js";
import { toText } from "../core/text.js";
import type { Serializer } from "../core/value-format.js";
import {
  findPart,
  isObject,
  isOfHiddenKind,
  isOpaque,
  isPlainData,
  nameOf,
  type Part,
  type Refusal,
  remedyFor,
} from "./parts.js";

/**
 * JSON text, which every language reads. Inside a value, types that JSON lacks change as with `JSON.stringify`: a `Date`
 * becomes a string, `NaN` and infinities become `null`, an instance becomes a plain object of its fields (an error with a
 * `code`, too), and `undefined` and functions are left out. Where that matters, use `structuredClone()` or `msgpack()`.
 * docs/values.md has a table.
 *
 * `serialize` throws a `TypeError` instead of storing `{}` for an object whose contents JSON can't see, at any depth and
 * with its path: maps, sets, promises, errors, regular expressions, iterators, responses, instances with only private
 * fields. It also refuses bigints, binary data and cycles at any depth, and as the whole value `undefined`, functions,
 * symbols, `NaN` and infinities. An object with a `toJSON()` is stored as that returns.
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
  if (mayHideParts(text) && !isPlainData(value)) {
    const found = findPart(value, whyPart);
    if (found) throw refused(found);
  }
  return text;
}

/** Only such text comes from objects whose contents JSON can't see, and from binary data. */
function mayHideParts(text: string): boolean {
  return text.includes("{}") || text.includes('{"0":') || text.includes("Buffer");
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
      return BIGINT_REMEDY;
    case "number":
      return Number.isFinite(value) ? undefined : "use structuredClone() or msgpack()";
    case "object":
      return value === null ? undefined : whyNotObject(value);
    default:
      return undefined;
  }
}

const BIGINT_REMEDY = "give a number or a string, or use structuredClone() or msgpack()";
const BINARY_REMEDY = "use msgpack() or structuredClone()";

/** As the whole value, these are refused even when they have fields of their own, which JSON would store. */
function whyNotObject(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === Array.prototype || "toJSON" in value) return undefined;
  return isOfHiddenKind(value) ? remedyFor(value) : undefined;
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    const found = attempt(() => findPart(value, whyPart, 10_000));
    if (found) throw refused(found, { cause });
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new TypeError(`JSON has no form for ${show(value)}: ${reason}; store plain data`, { cause });
  }
}

function refused({ part, remedy }: Refusal, options?: ErrorOptions): TypeError {
  return new TypeError(`JSON has no form for ${nameOf(part)}; ${remedy}`, options);
}

/** Why JSON can't hold a part. Parts are looked at as JSON sees them: after `toJSON()`. */
function whyPart(part: Part, add: (value: unknown, key: unknown) => void): string | undefined {
  const form = formOf(part);
  if (typeof form === "bigint") return BIGINT_REMEDY;
  if (!isObject(form)) return undefined;
  if (isBinary(part.value) && (form === part.value || Reflect.get(form, "type") === "Buffer")) return BINARY_REMEDY;
  if (isOpaque(form) && JSON.stringify(form) === "{}") return remedyFor(form);
  for (let above = part.parent; above; above = above.parent) {
    if (above.value === part.value) return "it refers to itself; leave the reference out, or use structuredClone()";
  }
  for (const [key, each] of Object.entries(form)) if (isObject(each) || typeof each === "bigint") add(each, key);
  return undefined;
}

function formOf({ value, key }: Part): unknown {
  const toJSON: unknown = isObject(value) ? Reflect.get(value, "toJSON") : undefined;
  return typeof toJSON === "function" ? toJSON.call(value, String(key ?? "")) : value;
}

function isBinary(value: unknown): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined; // A toJSON() that throws, whose error is the one to report.
  }
}
