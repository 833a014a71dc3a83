/** Deeper parts of a value are left out. */
const MAX_DEPTH = 64;

/** A value as text for people. */
export interface Printed {
  readonly text: string;
  /** A part was left out. */
  readonly isCut: boolean;
}

/** Thrown where the text is as long as it may be. */
const FULL = Symbol("full");

/**
 * A value as text for people: JSON with two spaces, and what JSON lacks in JavaScript's own words. Hostile values, such as
 * very deep ones, cost no more than others.
 * @param maxLength in characters
 */
export function print(value: unknown, maxLength: number): Printed {
  const printer = new Printer(maxLength);
  try {
    printer.add(value, 0);
  } catch (error) {
    if (error !== FULL) throw error;
  }
  return { text: printer.text, isCut: printer.isCut };
}

class Printer {
  text = "";
  isCut = false;
  readonly #maxLength: number;
  readonly #above = new Set<object>();

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  add(value: unknown, depth: number): void {
    if (typeof value !== "object" || value === null) {
      this.#put(primitive(value));
      return;
    }
    if (this.#above.has(value)) {
      this.#put("[Circular]");
      return;
    }
    if (depth > MAX_DEPTH) {
      this.isCut = true;
      this.#put("…");
      return;
    }
    this.#above.add(value);
    this.#addObject(value, depth);
    this.#above.delete(value);
  }

  #addObject(value: object, depth: number): void {
    const add = (part: unknown): void => this.add(part, depth + 1);
    const short = shortForm(value);
    if (short !== undefined) this.#put(short);
    else if (Array.isArray(value)) this.#list("[", "]", value.keys(), depth, (i) => add(value[i]));
    else if (value instanceof Set) this.#list(`Set(${value.size}) {`, "}", value, depth, add);
    else if (value instanceof Map) {
      this.#list(`Map(${value.size}) {`, "}", value, depth, ([key, each]) => {
        add(key);
        this.#put(" => ");
        add(each);
      });
    } else {
      this.#list("{", "}", Object.keys(value), depth, (key) => {
        this.#put(`${JSON.stringify(key)}: `);
        add(Reflect.get(value, key));
      });
    }
  }

  #list<T>(start: string, end: string, items: Iterable<T>, depth: number, add: (item: T) => void): void {
    this.#put(start);
    let isFirst = true;
    for (const item of items) {
      this.#put(`${isFirst ? "" : ","}\n${"  ".repeat(depth + 1)}`);
      isFirst = false;
      add(item);
    }
    this.#put(isFirst ? end : `\n${"  ".repeat(depth)}${end}`);
  }

  #put(text: string): void {
    const left = this.#maxLength - this.text.length;
    if (text.length <= left) {
      this.text += text;
      return;
    }
    this.text += text.slice(0, left);
    this.isCut = true;
    throw FULL;
  }
}

function primitive(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** How many bytes of binary data are shown. */
const MAX_SHOWN = 64;

/** Objects that are shown without their fields. */
function shortForm(value: object): string | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Date(invalid)" : `Date(${value.toISOString()})`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return `${value.name}(${JSON.stringify(value.message)})`;
  if (value instanceof ArrayBuffer) return hex("ArrayBuffer", new Uint8Array(value));
  if (!ArrayBuffer.isView(value)) return undefined;
  return hex(value.constructor.name, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
}

function hex(name: string, bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, MAX_SHOWN), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${name}(${bytes.length} bytes)${bytes.length > 0 ? ` ${shown}` : ""}${bytes.length > MAX_SHOWN ? " …" : ""}`;
}

/** Whether JSON holds the value as it is, and not too deep for those who read it. */
export function isJson(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object": {
      if (value === null) return true;
      if (depth > MAX_DEPTH) return false;
      if (Array.isArray(value)) return isDense(value) && value.every((each) => isJson(each, depth + 1));
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null) return false;
      return Object.values(value).every((each) => isJson(each, depth + 1));
    }
    default:
      return false;
  }
}

/** Whether an array has no holes. One of a forged length has little else. */
function isDense(array: readonly unknown[]): boolean {
  return Object.keys(array).length === array.length;
}

const CONTROLS = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text: as they are where they are printable UTF-8, else with each other byte as `\xNN`. */
export function printBytes(bytes: Uint8Array, maxLength: number): Printed {
  const text = utf8(bytes) ?? escaped(bytes.subarray(0, maxLength));
  return { text: text.slice(0, maxLength), isCut: text.length > maxLength || bytes.length > maxLength };
}

/** The text in bytes that may end within a character; `undefined` where they are none that can be shown. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes, { stream: true });
    return CONTROLS.test(text.replace(/[\t\n\r]/g, "")) ? undefined : text;
  } catch {
    return undefined;
  } finally {
    // Forgets a character of which only the beginning was given.
    reset();
  }
}

function reset(): void {
  try {
    decoder.decode();
  } catch {
    // It had begun one.
  }
}

function escaped(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    text +=
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}
