/** An error reply: its code and text. */
export class ErrorReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value in RESP2 or RESP3: maps are flat lists, and what is no text or number is `null`. */
export type Value = null | number | string | ErrorReply | Value[];

export interface RespHandlers {
  /** A reply to a command. */
  reply(value: Value): void;
  /** A message that is no reply, such as one of a channel: its parts. */
  message(parts: Value[]): void;
  /** A key that has changed. */
  key(key: string): void;
  /** Any key may have changed. */
  all(): void;
}

/** A command in RESP. */
export function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
}

const INVALIDATE = Buffer.from(">2\r\n$10\r\ninvalidate\r\n");
/** In bytes. A longer key can't be one of ours, and is not kept in memory. */
const LONGEST_KEY = 65_536;
/** In bytes, of any other value. That of CLUSTER SLOTS is the longest that is asked for. */
const LONGEST_VALUE = 4_194_304;
const DEEPEST = 8;
const CR = 0x0d;
const LF = 0x0a;

/** What is buffered ends within a value. */
const INCOMPLETE = Symbol("incomplete");

/**
 * Parses what a server sends to a connection that listens for changes. Lists of changed keys are handed on key by key and
 * never held as a whole, as one write of another client may change any number of them.
 */
export class RespParser {
  readonly #handlers: RespHandlers;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  /** How many keys of a list are to come. */
  #keysLeft = 0;
  /** How many bytes to pass over. */
  #skipLeft = 0;
  /** The values below this depth can be messages of RESP2, whose kind is known by their first part. */
  #hasSubscribed = false;

  constructor(handlers: RespHandlers) {
    this.#handlers = handlers;
  }

  /** Under RESP2 messages are lists like any other. From now on lists that begin as messages do are taken for them. */
  expectMessages(): void {
    this.#hasSubscribed = true;
  }

  add(bytes: Uint8Array): void {
    const rest = this.#buffer.subarray(this.#at);
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at = 0;
  }

  /**
   * Hands on what is complete, up to `limit` keys and values.
   * @returns whether there may be more
   * @throws {Error} on what is not RESP, or too long
   */
  run(limit: number): boolean {
    for (let done = 0; done < limit; done++) if (!this.#step()) return false;
    return true;
  }

  #step(): boolean {
    if (this.#skipLeft > 0) return this.#skip();
    if (this.#keysLeft > 0) return this.#nextKey();
    if (this.#at >= this.#buffer.length) return false;
    if (this.#buffer[this.#at] === 0x3e) {
      const head = this.#buffer.subarray(this.#at, this.#at + INVALIDATE.length);
      if (head.equals(INVALIDATE.subarray(0, head.length))) {
        return head.length === INVALIDATE.length && this.#beginKeys(this.#at + INVALIDATE.length);
      }
    }
    const start = this.#at;
    const isPush = this.#buffer[start] === 0x3e;
    const value = this.#value(0);
    if (value === INCOMPLETE) {
      this.#at = start;
      if (this.#buffer.length - start > LONGEST_VALUE) throw new Error("a reply is too long");
      return false;
    }
    // Of another form than servers give it.
    if (isPush && Array.isArray(value) && value[0] === "invalidate") this.#handlers.all();
    else if (Array.isArray(value) && (isPush || (this.#hasSubscribed && isMessage(value))))
      this.#handlers.message(value);
    else this.#handlers.reply(value);
    return true;
  }

  #beginKeys(at: number): boolean {
    const line = this.#line(at);
    if (line === undefined) return false;
    this.#at = at + line.length + 2;
    const isList = line.startsWith("*");
    if (!isList && line !== "_" && line !== "$-1") throw new Error("the changed keys are not a list");
    const count = isList ? toLength(line.slice(1)) : -1;
    if (count >= 0) this.#keysLeft = count;
    else this.#handlers.all();
    return true;
  }

  #nextKey(): boolean {
    const line = this.#line(this.#at);
    if (line === undefined) return false;
    const length = line.startsWith("$") ? toLength(line.slice(1)) : -1;
    if (length < 0) throw new Error("a changed key is not a string");
    const from = this.#at + line.length + 2;
    if (length > LONGEST_KEY) {
      this.#at = from;
      this.#skipLeft = length + 2;
      this.#keysLeft--;
      this.#handlers.all();
      return true;
    }
    if (this.#buffer.length < from + length + 2) return false;
    this.#at = from + length + 2;
    this.#keysLeft--;
    this.#handlers.key(this.#buffer.toString("utf8", from, from + length));
    return true;
  }

  #skip(): boolean {
    const count = Math.min(this.#skipLeft, this.#buffer.length - this.#at);
    this.#at += count;
    this.#skipLeft -= count;
    return this.#skipLeft === 0;
  }

  /** The characters up to the end of the line; `undefined` when that has not come. */
  #line(at: number): string | undefined {
    const end = this.#buffer.indexOf(CR, at);
    if (end >= 0 && end + 1 < this.#buffer.length) {
      if (this.#buffer[end + 1] !== LF) throw new Error("a line has no end");
      return this.#buffer.toString("latin1", at, end);
    }
    if (this.#buffer.length - at > LONGEST_KEY) throw new Error("a line is too long");
    return undefined;
  }

  #value(depth: number): Value | typeof INCOMPLETE {
    if (depth > DEEPEST) throw new Error("a reply is nested too deeply");
    const line = this.#line(this.#at);
    if (line === undefined) return INCOMPLETE;
    this.#at += line.length + 2;
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        return new ErrorReply(rest);
      case ":":
        return toInteger(rest);
      case ",":
      case "(":
        return rest;
      case "#":
        return rest === "t" ? 1 : 0;
      case "_":
        return null;
      case "$":
      case "=":
      case "!":
        return this.#bulk(line[0], rest);
      case "*":
      case "~":
      case ">":
        return this.#list(toLength(rest), depth);
      case "%":
        return this.#list(2 * toLength(rest), depth);
      case "|":
        // Attributes come before the value that they describe.
        return this.#list(2 * toLength(rest), depth) === INCOMPLETE ? INCOMPLETE : this.#value(depth);
      default:
        throw new Error("a reply is not in the protocol of Valkey");
    }
  }

  #bulk(type: string, digits: string): Value | typeof INCOMPLETE {
    const length = toLength(digits);
    if (length < 0) return null;
    if (length > LONGEST_VALUE) throw new Error("a string is too long");
    const from = this.#at;
    if (this.#buffer.length < from + length + 2) return INCOMPLETE;
    this.#at = from + length + 2;
    const text = this.#buffer.toString("utf8", from, from + length);
    // A verbatim string begins with its format and a colon.
    return type === "!" ? new ErrorReply(text) : type === "=" ? text.slice(4) : text;
  }

  #list(count: number, depth: number): Value | typeof INCOMPLETE {
    if (count < 0) return null;
    if (count > LONGEST_VALUE) throw new Error("a list is too long");
    const values: Value[] = [];
    for (let i = 0; i < count; i++) {
      const value = this.#value(depth + 1);
      if (value === INCOMPLETE) return INCOMPLETE;
      values.push(value);
    }
    return values;
  }
}

function isMessage([kind]: Value[]): boolean {
  return kind === "message" || kind === "subscribe" || kind === "unsubscribe" || kind === "pong";
}

/** -1 for what is missing. @throws {Error} on anything else than a length */
function toLength(digits: string): number {
  if (!/^(?:-1|\d{1,15})$/.test(digits)) throw new Error("a length is not a number");
  return Number(digits);
}

/** @throws {Error} */
function toInteger(digits: string): number {
  if (!/^[+-]?\d+$/.test(digits)) throw new Error("an integer is not a number");
  return Number(digits);
}
