import { CLEAR_ABSENT } from "../client/entry-scripts.js";
import type { Codec } from "../codec/codec.js";
import type { Command, Connection, Invocation, Reply, SendOptions } from "../core/connection.js";
import { ConnectionError, DecodeError, ReplyError, throwIfError } from "../core/errors.js";
import { CacheCall, emitError } from "../core/events.js";
import type { Key } from "../core/key.js";
import { checked } from "./arguments.js";
import type { KeyBuilder } from "./key-builder.js";
import type { KeyOptions, MethodOptions } from "./method-options.js";
import { recordFailure, recordResult } from "./outcomes.js";
import type { Settings } from "./settings.js";

/** Methods with a key in their options' prefix and version. */
type KeyMethod = { [M in keyof MethodOptions]: MethodOptions[M] extends KeyOptions ? M : never }[keyof MethodOptions];

/** What a method with one key does. @param call its record for events; absent without listeners */
export type Work<T> = (stored: string, call?: CacheCall) => Promise<T>;

/** The error policy of calls to the store, and the calls that an invocation has still under way. */
export class StoreCalls {
  readonly #settings: Pick<Settings, "ignoreErrors" | "onError" | "events">;
  readonly #keys: KeyBuilder;
  /** Calls of one invocation, which its caller may not have awaited. They settle before the invocation's cache closes. */
  readonly #underWay: Set<Promise<unknown>> | undefined;

  constructor(
    settings: Pick<Settings, "ignoreErrors" | "onError" | "events">,
    keys: KeyBuilder,
    invocation: Invocation,
    parent?: StoreCalls,
  ) {
    this.#settings = settings;
    this.#keys = keys;
    this.#underWay = parent ? parent.#underWay : invocation.scope === "request" ? new Set() : undefined;
  }

  /** A call of a method with one key, after its options and its key have been checked. @throws TypeError */
  async onKey<T>(
    method: KeyMethod,
    key: Key,
    options: MethodOptions[KeyMethod],
    otherwise: T,
    work: Work<T>,
  ): Promise<T> {
    const stored = this.#keys.stored(key, checked(method, options));
    return this.guard(method, stored, otherwise, (call) => work(stored, call));
  }

  /** The call's result. A store error rejects, or resolves to `otherwise` when the cache ignores errors. @param count how many keys it has */
  guard<T>(
    method: string,
    key: string,
    otherwise: T,
    work: (call: CacheCall | undefined) => Promise<T>,
    count = 1,
  ): Promise<T> {
    const result = this.observe(method, key, work, count);
    this.track(result);
    return this.#unlessIgnored(result, method, key, otherwise);
  }

  /** As `guard`, for a loop over pages. The call ends with the loop, also when that is left early. */
  async *guardEach<T>(method: string, key: string, pages: AsyncIterable<T>): AsyncIterable<T> {
    let end = (): void => {};
    let fail = (_error: unknown): void => {};
    const ended = new Promise<void>((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
    const call = this.#unlessIgnored(
      this.observe(method, key, () => ended),
      method,
      key,
      undefined,
    );
    try {
      yield* pages;
    } catch (error) {
      fail(error);
    } finally {
      end();
      await call;
    }
  }

  /** Runs a call, and records it for events where there are listeners. */
  observe<T>(method: string, key: string, work: (call: CacheCall | undefined) => Promise<T>, count = 1): Promise<T> {
    const { events } = this.#settings;
    if (!events.isHeard("call")) return work(undefined);
    return new CacheCall(events, { method, key, count }).run(work, recordResult, recordFailure);
  }

  /** Throws the error, unless it is a store error and the cache ignores those. Then `onError` is called with it. */
  readonly forgive = (error: unknown, method: string, key: string): void => {
    if (!this.#settings.ignoreErrors || !isStoreError(error)) throw error;
    this.report(error, method, key);
  };

  /** Calls the cache's `onError`. Never throws. */
  readonly report = (error: unknown, method: string, key: string): void => {
    emitError(this.#settings.events, error, { method, key });
    this.#settings.onError(error, { method, key });
  };

  #unlessIgnored<T>(result: Promise<T>, method: string, key: string, otherwise: T): Promise<T> {
    const { ignoreErrors, onError } = this.#settings;
    if (!ignoreErrors) return result;
    return result.catch((error: unknown) => {
      if (!isStoreError(error)) throw error;
      onError(error, { method, key });
      return otherwise;
    });
  }

  /** Has `settled` wait for work of this invocation. */
  track(work: Promise<unknown>): void {
    const underWay = this.#underWay;
    if (!underWay) return;
    const over = (): void => void underWay.delete(work);
    underWay.add(work);
    work.then(over, over);
  }

  /** Resolves when no work of this invocation is under way. */
  async settled(): Promise<void> {
    while (this.#underWay && this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }
}

/** Whether an error comes from the store. Wrong arguments, such as keys of several slots, always throw. */
function isStoreError(error: unknown): boolean {
  if (error instanceof ReplyError) return error.code !== "CROSSSLOT";
  return error instanceof ConnectionError || error instanceof DecodeError;
}

/** The commands all of whose arguments are keys. All others have one key, and SMOVE two. */
const OF_KEYS = /^S(?:DIFF|INTER|UNION)(?:STORE)?$/;

/**
 * Sends a command for a set or a hash. Stale entries and placeholders of the herd client, which are strings to the server,
 * count as absent: they are deleted, and the command is retried.
 * @throws {ReplyError}
 */
export async function sendTyped(connection: Connection, command: Command, options?: SendOptions): Promise<Reply> {
  const [reply = null] = await connection.send([command], options);
  if (!(reply instanceof ReplyError) || reply.code !== "WRONGTYPE") return throwIfError(reply);
  const [name, ...args] = command;
  const keys = OF_KEYS.test(name) ? args : args.slice(0, name === "SMOVE" ? 2 : 1);
  const clearing = keys.map((key) => connection.script(CLEAR_ABSENT, [String(key)], [], { idempotent: true }));
  if (!(await Promise.all(clearing)).includes(1)) throw reply;
  const [again = null] = await connection.send([command], options);
  return throwIfError(again);
}

/** The value in one element of a reply; `undefined` when there is none. @throws {DecodeError} @throws {ReplyError} */
export async function decodeOne(codec: Codec, reply: Reply, key: string): Promise<unknown> {
  const stored = throwIfError(reply);
  return typeof stored === "string" || stored instanceof Uint8Array ? codec.decode(stored, key) : undefined;
}
