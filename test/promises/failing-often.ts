import { type Connection, ConnectionError, type ConnectionFactory } from "valkey-edge-cache";
import type { Call, StoreError } from "./model.ts";
import type { Random } from "./operations.ts";
import { running } from "./player.ts";

const PART = 0.03;
/** Gives a lease up after an error that was reported, and again until it succeeds; further errors are not reported. */
const RETRIED = "yield";
/** Releases a lock, also in the background after an error that was reported; further errors are not reported. */
const RELEASES = "the script extend";

/** A store some of whose round trips fail, before or after they are carried out. */
export class FailingOften implements ConnectionFactory {
  readonly shares = true;
  readonly errors: { readonly error: Error; readonly what: string; readonly call: Call | undefined }[] = [];
  readonly #inner: ConnectionFactory;
  readonly #random: Random;

  constructor(inner: ConnectionFactory, random: Random) {
    this.#inner = inner;
    this.#random = random;
  }

  connect(...given: Parameters<ConnectionFactory["connect"]>): Connection {
    const inner = this.#inner.connect(...given);
    return {
      send: (...args) => this.#run(args[0].map(([name]) => name).join(), () => inner.send(...args)),
      script: (...args) => this.#run(`the script ${args[0].name}`, () => inner.script(...args)),
      scan: (options) => inner.scan(options),
      status: () => inner.status(),
      close: () => inner.close(),
      [Symbol.asyncDispose]: () => inner.close(),
    };
  }

  /** Each error, and whether a caller or `onError` got it. A call with several round trips rejects with one of their errors. */
  found(heard: ReadonlySet<unknown>): StoreError[] {
    const noticed = new Set(this.errors.filter(({ error }) => heard.has(error)).map(({ call }) => call));
    return this.errors.map(({ error, what, call }) => {
      const isFurther = call !== undefined && noticed.has(call) && (!!call.rejection || what === RELEASES);
      return { call, error: String(error), wasHeard: heard.has(error) || isFurther };
    });
  }

  async #run<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#random() >= PART || what.endsWith(RETRIED)) return work();
    const mayHaveRun = this.#random() < 0.5;
    if (mayHaveRun) await work();
    const error = new ConnectionError(`the store failed at ${what}`);
    error.mayHaveRun = mayHaveRun;
    this.errors.push({ error, what, call: running.getStore() });
    throw error;
  }
}
