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
    text += (i === 0 ? "" : ",") + textOf(args[i], { name, argument: i + 1, path: undefined, depth: 0 });
  }
  return `${text})`;
}

/** Where a value stands. */
interface Place {
  readonly name: string;
  readonly argument: number;
  readonly path: Path | undefined;
  readonly depth: number;
}

interface Path {
  readonly key: string | number;
  readonly parent: Path | undefined;
}

function textOf(value: unknown, place: Place): string {
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
      return value === null ? "null" : textOfObject(value, place);
    default:
      throw refused(place, `is ${show(value)}`);
  }
}

function textOfObject(value: object, place: Place): string {
  if (place.depth === MAX_DEPTH) throw refused(place, `is nested deeper than ${MAX_DEPTH} levels, or in itself`);
  if (Object.getOwnPropertySymbols(value).length > 0) throw refused(place, "has a property that is a symbol");
  const prototype: unknown = Object.getPrototypeOf(value);
  const keys = Object.keys(value);
  if (Array.isArray(value) && prototype === Array.prototype) {
    // As many names as items: neither a hole nor a property beside the items.
    if (keys.length !== value.length) throw refused(place, "is an array with holes, or with properties of its own");
    return `[${value.map((item: unknown, i) => textOf(item, inside(place, i))).join(",")}]`;
  }
  if (prototype === Date.prototype && value instanceof Date && keys.length === 0) {
    const ms = value.getTime();
    if (Number.isNaN(ms)) throw refused(place, "is an invalid Date");
    return `Date(${ms})`;
  }
  if (prototype !== Object.prototype && prototype !== null) throw refused(place, `is ${show(value)}`);
  const properties = keys.sort().map((key) => {
    const text = textOf(Reflect.get(value, key), inside(place, key));
    return `${JSON.stringify(key)}:${text}`;
  });
  return `{${properties.join(",")}}`;
}

function inside(place: Place, key: string | number): Place {
  return { ...place, path: { key, parent: place.path }, depth: place.depth + 1 };
}

function refused({ name, argument, path }: Place, what: string): TypeError {
  let at = "";
  for (let part = path; part !== undefined; part = part.parent) {
    at = (typeof part.key === "number" ? `[${part.key}]` : `.${part.key}`) + at;
  }
  // The outer keys of an argument that is nested in itself say nothing.
  const where = at === "" || at.length > 200 ? "" : ` at ${at}`;
  return new TypeError(
    `${name}: argument ${argument}${where} ${what}, so that another one could have the same key; give wrap() the option "key", a function of the arguments`,
  );
}
