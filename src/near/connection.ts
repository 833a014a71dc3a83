import type {
  Argument,
  Command,
  Connection,
  ConnectionEvent,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../core/connection.js";
import type { NearReads } from "../core/near.js";
import { toBytes } from "../core/text.js";
import { ALL, claimedKey, keysOf, readKeys, type Writes, writesOf } from "./commands.js";
import type { Mark } from "./store.js";

/** The near cache behind a connection. */
export interface ConnectionNear extends NearReads {
  readonly hasStarted: boolean;
  /** Makes ready to keep entries, and to listen. */
  readonly start: () => void;
  /** A connection is open. @returns what to call when it closes */
  join(connection: Connection): () => void;
  /** Whether entries of this key are kept at all. */
  holds(key: string): boolean;
  nowMs(): number;
  mark(key: string): Mark | undefined;
  /** When a read has ended, in whatever way. */
  release(mark: Mark): void;
  /** Keeps the reply to a marked read of a key, with what the server said of its lifetime. */
  keep(mark: Mark, stored: Reply, left: Reply, sentMs: number): void;
  /** Whether a near cache of this process keeps entries of a key. */
  keeps(key: string): boolean;
  /** Writes of this process begin. @returns what to call when they have ended */
  writes(writes: Writes): () => void;
  /** The commands, and a message about what they write for other near caches, where those hear of changes in no other way. */
  announced(commands: readonly Command[], writes: Writes): readonly Command[];
  /** As `announced`, in a round trip of its own. */
  announce(connection: Connection, writes: Writes): void;
  /** Reports a message that was refused. */
  checkAnnounced(reply: Reply): void;
}

/**
 * A connection with a near cache in front. Whole entries, as GET and MGET read them, are answered from the process where it
 * knows them; else their replies are kept, with the lifetime that the server reports in the same round trip. Whatever may
 * write goes to the server, and what it may change is dropped before and after.
 */
export class NearConnection implements Connection {
  readonly near: NearReads;
  readonly #near: ConnectionNear;
  readonly #inner: Connection;
  readonly #leave: () => void;
  readonly #keeps = (key: string): boolean => this.#near.keeps(key);

  constructor(near: ConnectionNear, inner: Connection) {
    this.#near = near;
    this.near = near;
    this.#inner = inner;
    this.#leave = near.join(inner);
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    const near = this.#near;
    // What is read at one moment is read at the server.
    if (options?.readOnly && !options.atomic) {
      const [first] = commands;
      const [name, key] = first ?? [];
      if (first && commands.length === 1 && name === "GET" && typeof key === "string" && near.holds(key)) {
        return this.#get(first, key, options);
      }
      const keys = commands.map(readKeys);
      if (keys.some((one) => one?.some((key) => near.holds(key)))) return this.#read(commands, keys, options);
    }
    const claimed = options?.atomic ? [] : commands.map(claimedKey).filter((key) => key !== undefined);
    if (claimed.length > 0 && claimed.length === commands.length) return this.#claim(commands, claimed, options);
    const writes = writesOf(commands, this.#keeps);
    if (!writes.all && writes.keys.length === 0) return this.#noted(this.#inner.send(commands, options));
    // In a transaction a message that is refused would undo the writes.
    const sent = options?.atomic ? commands : near.announced(commands, writes);
    const result = this.#write(writes, () => this.#inner.send(sent, options));
    if (options?.atomic)
      result.then(
        () => near.announce(this.#inner, writes),
        () => {},
      );
    if (sent === commands) return result;
    return result.then((replies) => {
      near.checkAnnounced(replies[commands.length] ?? null);
      return replies.slice(0, commands.length);
    });
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    if (options?.readOnly) return this.#noted(this.#inner.script(script, keys, args, options));
    const writes = keysOf(keys, this.#keeps);
    const send = () => this.#inner.script(script, keys, args, options);
    const result = script.unchanged === undefined ? this.#write(writes, send) : this.#attempt(script, writes, send);
    return result.then((reply) => {
      if (reply !== script.unchanged) this.#near.announce(this.#inner, writes);
      return reply;
    });
  }

  scan(options: ScanOptions): AsyncIterable<string[]> {
    return options.removes ? this.#scanToRemove(options) : this.#inner.scan(options);
  }

  status(): ConnectionStatus {
    return this.#inner.status();
  }

  replace(): void {
    this.#inner.replace?.();
  }

  watch(listener: (event: ConnectionEvent) => void): () => void {
    return this.#inner.watch?.(listener) ?? (() => {});
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#inner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The scan does not find what another client has removed, and that notification may not have arrived yet: so all is dropped at the end. */
  async *#scanToRemove(options: ScanOptions): AsyncIterable<string[]> {
    try {
      yield* this.#inner.scan(options);
    } finally {
      this.#near.writes(ALL)();
    }
  }

  /** Starts to listen when the server has answered, so that a cold start waits for nothing. */
  #noted<T>(result: Promise<T>): Promise<T> {
    if (!this.#near.hasStarted) result.then(this.#near.start, () => {});
    return result;
  }

  /** Drops what is written, before and after. It ends before the caller learns of the reply. */
  #write<T>(writes: Writes, send: () => Promise<T>): Promise<T> {
    const end = this.#near.writes(writes);
    let result: Promise<T>;
    try {
      result = send();
    } catch (error) {
      // As a connection of the user's own may.
      end();
      throw error;
    }
    result.then(end, end);
    return this.#noted(result);
  }

  /** A script that may write nothing: then what is known goes on being known. */
  async #attempt(script: Script, writes: Writes, send: () => Promise<Reply>): Promise<Reply> {
    let reply: Reply | undefined;
    try {
      reply = await this.#noted(send());
      return reply;
    } finally {
      if (reply === undefined || reply !== script.unchanged) this.#near.writes(writes)();
    }
  }

  /** As `#read`, for one GET, as nearly every read is. */
  async #get(command: Command, key: string, options: SendOptions): Promise<Reply[]> {
    const near = this.#near;
    const known = near.recall(key);
    if (known) return [copyOf(known.stored, options.text === true)];
    const mark = near.mark(key);
    if (!mark) return this.#noted(this.#inner.send([command], options));
    const sentMs = near.nowMs();
    try {
      const sent = this.#inner.send([command, ["PTTL", key]], { ...options, primary: true });
      const [stored = null, left = null] = await this.#noted(sent);
      near.keep(mark, stored, left, sentMs);
      return [stored];
    } finally {
      near.release(mark);
    }
  }

  /** What a claim finds was read, as by GET. What it creates was written, and nothing was there before that could be old. */
  async #claim(
    commands: readonly Command[],
    keys: readonly string[],
    options: SendOptions | undefined,
  ): Promise<Reply[]> {
    const near = this.#near;
    const marked = keys.flatMap((key, at) => {
      const mark = near.mark(key);
      return mark ? [{ key, at, mark }] : [];
    });
    const sentMs = near.nowMs();
    let taken = keys;
    try {
      const lifetimes = marked.map(({ key }): Command => ["PTTL", key]);
      const replies = await this.#noted(this.#inner.send([...commands, ...lifetimes], options));
      taken = keys.filter((_key, at) => replies[at] === null);
      const left = replies.splice(commands.length);
      for (const [i, { at, mark }] of marked.entries()) near.keep(mark, replies[at] ?? null, left[i] ?? null, sentMs);
      return replies;
    } finally {
      if (taken.length > 0) near.writes({ keys: taken, all: false })();
      for (const { mark } of marked) near.release(mark);
    }
  }

  /** Answers what is known, and reads the rest, each key with its lifetime. */
  async #read(
    commands: readonly Command[],
    keysOfCommands: readonly (readonly string[] | undefined)[],
    options: SendOptions,
  ): Promise<Reply[]> {
    const near = this.#near;
    const text = options.text === true;
    const replies: Reply[] = [];
    /** What is sent, and where its reply belongs. */
    const sent: Command[] = [];
    const takes: ((reply: Reply) => void)[] = [];
    const marks: { readonly mark: Mark; readonly key: string; stored: Reply; leftMs: Reply }[] = [];
    const readOne = (key: string, put: (reply: Reply) => void): ((reply: Reply) => void) => {
      const mark = near.holds(key) ? near.mark(key) : undefined;
      if (!mark) return put;
      const one = { mark, key, stored: null as Reply, leftMs: null as Reply };
      marks.push(one);
      return (reply) => {
        one.stored = reply;
        put(reply);
      };
    };
    for (const [i, command] of commands.entries()) {
      const keys = keysOfCommands[i];
      if (!keys) {
        sent.push(command);
        takes.push((reply) => {
          replies[i] = reply;
        });
        continue;
      }
      const [name] = command;
      const values: Reply[] = [];
      if (name === "MGET") replies[i] = values;
      const missing: string[] = [];
      const puts: ((reply: Reply) => void)[] = [];
      for (const [at, key] of keys.entries()) {
        const put = (reply: Reply): void => {
          if (name === "MGET") values[at] = reply;
          else replies[i] = reply;
        };
        const known = near.recall(key);
        if (known) put(copyOf(known.stored, text));
        else {
          missing.push(key);
          puts.push(readOne(key, put));
        }
      }
      if (missing.length === 0) continue;
      sent.push([name, ...missing]);
      takes.push((reply) => {
        if (name === "GET") puts[0]?.(reply);
        else if (Array.isArray(reply)) for (const [at, put] of puts.entries()) put(reply[at] ?? null);
        else replies[i] = reply;
      });
    }
    if (sent.length === 0) return replies;
    for (const one of marks) {
      sent.push(["PTTL", one.key]);
      takes.push((reply) => {
        one.leftMs = reply;
      });
    }
    const sentMs = near.nowMs();
    try {
      const more = marks.length > 0 ? { ...options, primary: true } : options;
      const received = await this.#noted(this.#inner.send(sent, more));
      for (const [at, take] of takes.entries()) take(received[at] ?? null);
      for (const { mark, stored, leftMs } of marks) near.keep(mark, stored, leftMs, sentMs);
      return replies;
    } finally {
      for (const { mark } of marks) near.release(mark);
    }
  }
}

/** A reply of the reader's own, as it may change bytes. */
function copyOf(stored: string | Uint8Array, text: boolean): Reply {
  if (typeof stored === "string") return text ? stored : toBytes(stored);
  return stored.slice();
}
