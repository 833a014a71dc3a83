import type {
  Argument,
  Call,
  Command,
  Connection,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
  Twins,
} from "../../core/connection.js";
import { ConfigurationError, ConnectionError, ReplyError, throwIfError } from "../../core/errors.js";
import { compileGlob } from "../../core/glob.js";
import type { Clock } from "../../core/time.js";
import { refusals } from "./arguments.js";
import { nameForm, nameText } from "./bulk.js";
import { checkCommand, checkRoom, run } from "./commands.js";
import { type Limits, Store } from "./store.js";

/** Runs commands in this process, synchronously: before `send` returns its promise. */
export class MemoryConnection implements Connection {
  readonly #store: Store;
  readonly #twins: Twins;
  #closed = false;

  constructor(store: Store, twins: Twins) {
    this.#store = store;
    this.#twins = twins;
  }

  async send(commands: readonly Command[], { atomic = false, text = false }: SendOptions = {}): Promise<Reply[]> {
    this.#begin(commands[0]?.[0] ?? "send");
    if (atomic) {
      checkAll(commands);
      for (const command of commands) checkRoom(this.#store, command);
    }
    return commands.map((command) => answer(() => run(this.#store, command, text)));
  }

  async script(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    this.#begin(script.name);
    const call: Call = (...command) => run(this.#store, command, false);
    const twin = script.twin ?? this.#twins.get(script);
    if (!twin)
      throw new ConfigurationError(
        `script "${script.name}": memory() runs no Lua; give the script a twin in JavaScript`,
      );
    return throwIfError(twin(call, keys, args));
  }

  async *scan({ match, count }: ScanOptions): AsyncIterable<string[]> {
    this.#begin("SCAN");
    if (!(count >= 1)) throw refusals.syntax();
    const matches = compileGlob(match);
    const keys = this.#store.keys();
    for (let start = 0; start < keys.length; start += count) {
      this.#begin("SCAN");
      const batch = keys.slice(start, start + count).filter((key) => matches(nameForm(key)) && this.#store.peek(key));
      if (batch.length > 0) yield batch.map(nameText);
    }
  }

  status(): ConnectionStatus {
    if (this.#closed) throw closed("status");
    return { state: "closed", lastError: undefined, transport: "memory" };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(name: string): void {
    if (this.#closed) throw closed(name);
    this.#store.tick();
  }
}

function closed(name: string): ConnectionError {
  return new ConnectionError(`${name}: the cache was closed; make a new one, or close it later`);
}

/** As with MULTI and EXEC, a command that can't be queued aborts the transaction. One that fails later fails alone. */
function checkAll(commands: readonly Command[]): void {
  try {
    for (const command of commands) checkCommand(command);
  } catch (cause) {
    throw new ReplyError("EXECABORT", "Transaction discarded because of previous errors.", { cause });
  }
}

function answer(execute: () => Reply): Reply {
  try {
    return execute();
  } catch (error) {
    if (error instanceof ReplyError) return error;
    throw error;
  }
}

/** The stores of one factory, by name. */
export class Stores {
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #twins: Twins;
  readonly #byName = new Map<string, Store>();

  constructor(clock: Clock, limits: Limits, twins: Twins) {
    this.#clock = clock;
    this.#limits = limits;
    this.#twins = twins;
  }

  connect(name: string): Connection {
    const store = this.#byName.get(name) ?? new Store(this.#clock, this.#limits);
    this.#byName.set(name, store);
    return new MemoryConnection(store, this.#twins);
  }
}
