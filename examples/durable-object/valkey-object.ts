import { DurableObject } from "cloudflare:workers";
import {
  type Argument,
  type Command,
  type Connection,
  ConnectionError,
  type ConnectionFactory,
  type ConnectionScanOptions,
  type ConnectionStatus,
  createCache,
  iovalkey,
  type Reply,
  ReplyError,
  type Script,
  type SendOptions,
  TimeoutError,
} from "valkey-edge-cache";

interface Env {
  readonly VALKEY_URL: string;
}

/** Keeps one connection to the server for all requests that reach this object. */
export class ValkeyObject extends DurableObject<Env> {
  // The requests of an object may share its sockets. So the object is one invocation, as long as it is in memory.
  readonly #connection: Connection = createCache({ location: this.env.VALKEY_URL }).for().connection;
  /** The library recognises a script by its identity, and each call brings a copy. */
  readonly #scripts = new Map<string, Script>();

  send(commands: Command[], options: SendOptions): Promise<Plain> {
    return this.#connection.send(commands, options).then(toPlain, toPlain);
  }

  script(script: Script, keys: string[], args: Argument[], options: SendOptions): Promise<Plain> {
    const known = this.#scripts.get(script.lua) ?? script;
    this.#scripts.set(script.lua, known);
    return this.#connection.script(known, keys, args, options).then(toPlain, toPlain);
  }
}

/** The binding of `ValkeyObject`, as far as it is used here. */
export interface ValkeyObjects {
  getByName(name: string): Pick<ValkeyObject, "send" | "script">;
}

/**
 * Has the caches of a Worker send their commands through an object.
 * @param name the object's name: each name is an object with a connection of its own
 */
export function throughObject(objects: ValkeyObjects, name = "valkey"): ConnectionFactory {
  return {
    shares: false,
    connect(location, invocation) {
      // Outside a request iovalkey() refuses every command in a Worker, and says what to do instead.
      if (invocation.scope === "process") return iovalkey().connect(location, invocation);
      return new ObjectConnection(() => objects.getByName(name));
    },
  };
}

/** The object itself gives a server up earlier: after `connectTimeout` and `commandTimeout`, 1 s each. */
const DEADLINE_MS = 2_500;

class ObjectConnection implements Connection {
  readonly #object: () => ReturnType<ValkeyObjects["getByName"]>;
  #isClosed = false;

  constructor(object: () => ReturnType<ValkeyObjects["getByName"]>) {
    this.#object = object;
  }

  async send(commands: readonly Command[], options: SendOptions = {}): Promise<Reply[]> {
    const copies = commands.map(([name, ...args]): Command => [name, ...args.map(copied)]);
    const replies = await this.#reply(() => this.#object().send(copies, sendable(options)), options);
    return Array.isArray(replies) ? replies : [];
  }

  script(
    { name, lua }: Script,
    keys: readonly string[],
    args: readonly Argument[],
    options: SendOptions = {},
  ): Promise<Reply> {
    const copies = args.map(copied);
    return this.#reply(() => this.#object().script({ name, lua }, [...keys], copies, sendable(options)), options);
  }

  async *scan({ match, count }: ConnectionScanOptions): AsyncIterable<string[]> {
    let cursor = "0";
    do {
      const command: Command = ["SCAN", cursor, "MATCH", match, "COUNT", String(count)];
      const [reply = null] = await this.send([command], { readOnly: true });
      if (reply instanceof ReplyError) throw reply;
      const [next = null, keys = null] = Array.isArray(reply) ? reply : [];
      [cursor = "0"] = textsOf([next]);
      yield textsOf(keys);
    } while (cursor !== "0");
  }

  status(): ConnectionStatus {
    this.#refuseIfClosed();
    return { state: "closed", lastError: undefined, transport: "Durable Object" };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new ConnectionError("the cache was closed; make a view of it for each request");
  }

  /** An object ends when it is deployed anew or breaks. What may run twice is then sent again, to the object after it. */
  async #reply(run: () => Promise<Plain>, { idempotent, readOnly }: SendOptions): Promise<Reply> {
    this.#refuseIfClosed();
    let isLate = false;
    let fail = (_: Error): void => {};
    const deadline = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const timer = setTimeout(() => {
      isLate = true;
      fail(new TimeoutError(`the Durable Object did not answer within ${DEADLINE_MS} ms; check its logs`));
    }, DEADLINE_MS);
    const again = (cause: unknown) => {
      if (isLate || !(idempotent || readOnly)) throw cause;
      return run();
    };
    try {
      const reply = fromPlain(await Promise.race([run().catch(again), deadline]).catch(lost));
      if (reply instanceof ReplyError) throw reply;
      return reply;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The server may have run a command whose reply did not come. */
function lost(cause: unknown): never {
  const error =
    cause instanceof TimeoutError
      ? cause
      : new ConnectionError(`the Durable Object failed: ${cause}; check its logs`, { cause });
  error.mayHaveRun = true;
  throw error;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The texts in a list. Keys that are none belong to other applications. */
function textsOf(list: Reply): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((one) => {
    try {
      return one instanceof Uint8Array ? [decoder.decode(one)] : [];
    } catch {
      return [];
    }
  });
}

/** Options as plain data. */
function sendable({ waiter: _, ...options }: SendOptions): SendOptions {
  return options;
}

/** Bytes in a buffer of their own, as a view is sent with the whole buffer behind it. */
function copied<T>(value: T): T | Uint8Array {
  return value instanceof Uint8Array ? new Uint8Array(value) : value;
}

/** A reply as plain data, as errors lose their class between an object and a Worker. */
type Plain = null | number | string | Uint8Array | PlainError | PlainList;

/** An interface, as Cloudflare's types of RPC can't resolve a type alias that contains itself. */
interface PlainList extends Array<Plain> {}

interface PlainError {
  readonly name: string;
  readonly message: string;
  /** Of replies of the server alone. */
  readonly code?: string;
  readonly detail?: string;
  readonly mayHaveRun?: boolean;
}

function toPlain(value: unknown): Plain {
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value === null || typeof value === "number" || typeof value === "string") return value;
  const { name, message } = value instanceof Error ? value : new Error(String(value));
  if (value instanceof ReplyError) return { name, message, code: value.code, detail: value.detail };
  return { name, message, mayHaveRun: value instanceof ConnectionError && value.mayHaveRun };
}

/** @throws {ConnectionError} that the object had */
function fromPlain(plain: Plain): Reply {
  if (Array.isArray(plain)) return plain.map(fromPlain);
  if (plain === null || typeof plain !== "object" || plain instanceof Uint8Array) return plain;
  const { name, message, code, detail = "", mayHaveRun = false } = plain;
  if (code !== undefined) return new ReplyError(code, detail);
  const error = name === "TimeoutError" ? new TimeoutError(message) : new ConnectionError(message);
  error.mayHaveRun = mayHaveRun;
  throw error;
}
