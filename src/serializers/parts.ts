import { show } from "../core/errors.js";

/** A value inside another one, with the way that leads to it. */
export interface Part {
  readonly value: unknown;
  /** The key or index in the object that holds it; `undefined` for the whole value. */
  readonly key: unknown;
  readonly parent: Part | undefined;
}

/**
 * Whether a value has no parts but plain objects, arrays, dates, instances with fields, and primitives: a quick check before
 * `findPart`. It is false for some such values, too, as for those that refer to themselves.
 */
export function isPlainData(value: unknown): boolean {
  try {
    return !isObject(value) || hasPlainParts(value);
  } catch (cause) {
    if (cause instanceof RangeError) return false; // Nested too deep for this check.
    throw cause;
  }
}

function hasPlainParts(value: object): boolean {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) if (!isPlainPart(value[index])) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (prototype === Date.prototype) return true;
    if (!hasOnlyFields(value)) return false;
  }
  for (const key in value) if (!isPlainPart(value[key as keyof typeof value])) return false;
  return true;
}

/** A function may be a `toJSON()`. */
function isPlainPart(value: unknown): boolean {
  return typeof value === "object" ? value === null || hasPlainParts(value) : typeof value !== "function";
}

function hasOnlyFields(instance: object): boolean {
  if ("toJSON" in instance || ArrayBuffer.isView(instance) || isOfHiddenKind(instance)) return false;
  return Object.keys(instance).length > 0 || !isOpaque(instance);
}

const HIDDEN_KINDS = [Map, Set, WeakMap, WeakSet, WeakRef, RegExp, Error, Promise];

/** Whether an object has contents beside its fields, even when it has fields of its own. */
export function isOfHiddenKind(value: object): boolean {
  return HIDDEN_KINDS.some((kind) => value instanceof kind);
}

/** A part that can't be stored, and what to do about it. */
export interface Refusal {
  readonly part: Part;
  readonly remedy: string;
}

/**
 * The first part with a remedy, from the outside in.
 * @param remedyOf returns a remedy, or calls `add` for each value inside the part that is to be looked at
 * @param limit how many parts to look at
 */
export function findPart(
  value: unknown,
  remedyOf: (part: Part, add: (value: unknown, key: unknown) => void) => string | undefined,
  limit = Infinity,
): Refusal | undefined {
  const parts: Part[] = [{ value, key: undefined, parent: undefined }];
  for (const part of parts) {
    const remedy = remedyOf(part, (each, key) => {
      parts.push({ value: each, key, parent: part });
    });
    if (remedy !== undefined) return { part, remedy };
    if (parts.length > limit) return undefined;
  }
  return undefined;
}

/** A part for messages: its kind, and the path to it, such as `an instance of Response (at users[0].response)`. */
export function nameOf(part: Part): string {
  const keys: unknown[] = [];
  for (let at = part; at.parent; at = at.parent) keys.push(at.key);
  return `${kindOf(part.value)}${where(keys.reverse())}`;
}

/** For messages, such as ` (at users[0].response)`; empty for the whole value. */
export function where(keys: readonly unknown[]): string {
  if (keys.length === 0) return "";
  const path = keys.map((key, index) => {
    if (typeof key === "string" && /^\d{1,15}$/.test(key)) return `[${key}]`;
    if (typeof key !== "string" || !/^[A-Za-z_$][\w$]{0,59}$/.test(key)) return `[${show(key)}]`;
    return index === 0 ? key : `.${key}`;
  });
  return ` (at ${path.join("")})`;
}

/**
 * Whether none of an object's contents is in fields of its own, so that a serializer which writes only those would store
 * `{}`: a `Response`, an iterator, an instance with private fields. Plain objects are not, even when they are empty. The
 * ones of other realms are recognised by the end of their prototype chain.
 */
export function isOpaque(value: object): boolean {
  if (Object.keys(value).length > 0) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || !isObject(prototype)) return false;
  return Object.getPrototypeOf(prototype) !== null || !Object.hasOwn(prototype, "isPrototypeOf");
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What to give instead of an object that can't be stored. */
export function remedyFor(value: object): string {
  if ("then" in value) return "await it first";
  if ("arrayBuffer" in value || "getReader" in value) return "read it first, for example to text";
  if ("next" in value) return "collect it into an array first";
  if ("toJSON" in value) return "store the result of its toJSON()";
  if (KINDS_OF_STRUCTURED_CLONE.test(tagOf(value))) {
    return "use structuredClone(), or convert it to plain objects and arrays";
  }
  return "convert it to plain objects and arrays";
}

const KINDS_OF_STRUCTURED_CLONE = /^(?:Map|Set|RegExp|Error)$/;

/** The kind of an object, for messages. Iterators have no constructor of their own, only a tag. */
export function kindOf(value: unknown): string {
  const shown = show(value);
  if (!isObject(value) || shown !== "an object") return shown;
  const tag = tagOf(value);
  return tag === "Object" ? "an object" : `an object of the kind ${tag}`;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
