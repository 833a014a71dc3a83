import { show } from "../core/errors.js";

/** Arguments that are nested deeper, as those within themselves are, have no key. */
const MAX_DEPTH = 100;

/**
 * The text of a call's arguments, such as `("7",{"deep":true})`. Different lists of arguments have different texts, also
 * where JSON has one: `-0` and `0`, `undefined` and `null`, a `Date` and its text. The order of an object's properties
 * doesn't count.
 * @param name the function, for messages
 * @throws TypeError naming the argument that may be the same as another one: a function, a symbol, an instance of a class, an
 * array with holes
 */
export function argumentKey(name: string, args: readonly unknown[]): string {
  let text = "(";
  for (let i = 0; i < args.length; i++) {
    try {
      text += (i === 0 ? "" : ",") + textOf(args[i], 0);
    } catch (error) {
      throw error instanceof Refusal ? error.of(name, i + 1) : error;
    }
  }
  return `${text})`;
}

function textOf(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${value}n`;
    case "boolean":
    case "undefined":
      return String(value);
    case "object":
      return value === null ? "null" : textOfObject(value, depth);
    default:
      throw new Refusal(`is ${show(value)}`);
  }
}

/** Fake timers replace `Date` by a class of theirs, and code under test has dates of both. */
const HostDate = Date;

function textOfObject(value: object, depth: number): string {
  if (depth === MAX_DEPTH) throw new Refusal(`is nested deeper than ${MAX_DEPTH} levels, or in itself`);
  if (Object.getOwnPropertySymbols(value).length > 0) throw new Refusal("has a property that is a symbol");
  const prototype: unknown = Object.getPrototypeOf(value);
  const keys = Object.keys(value);
  if (Array.isArray(value) && prototype === Array.prototype) {
    // As many names as items: neither a hole nor a property beside the items.
    if (keys.length !== value.length) throw new Refusal("is an array with holes, or with properties of its own");
    return `[${value.map((item: unknown, i) => textOfPart(item, `[${i}]`, depth)).join(",")}]`;
  }
  const isDate = prototype === HostDate.prototype || prototype === Date.prototype;
  if (isDate && value instanceof HostDate && keys.length === 0) {
    const ms = value.getTime();
    if (Number.isNaN(ms)) throw new Refusal("is an invalid Date");
    return `Date(${ms})`;
  }
  if (prototype !== Object.prototype && prototype !== null) throw new Refusal(`is ${show(value)}`);
  const texts = keys
    .sort()
    .map((key) => `${JSON.stringify(key)}:${textOfPart(Reflect.get(value, key), `.${key}`, depth)}`);
  return `{${texts.join(",")}}`;
}

function textOfPart(part: unknown, place: string, depth: number): string {
  try {
    return textOf(part, depth + 1);
  } catch (error) {
    if (error instanceof Refusal) error.place = place + error.place;
    throw error;
  }
}

/** Why a value has no key, and the way to it from the argument. */
class Refusal extends Error {
  place = "";

  of(name: string, argument: number): TypeError {
    // The way into an argument that is nested in itself says nothing.
    const where = this.place === "" || this.place.length > 200 ? "" : ` at ${this.place}`;
    return new TypeError(
      `${name}: argument ${argument}${where} ${this.message}, so that another one could have the same key; give wrap() the option "key", a function of the arguments`,
    );
  }
}
