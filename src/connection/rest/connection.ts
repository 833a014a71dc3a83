import { nextTurn } from "../../core/async.js";
import type {
  Argument,
  Command,
  Connection,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import { Deadlines } from "../resilience/deadline.js";
import { ScriptRunner, scanServer } from "../server-commands.js";
import { toJson, toJsonScript } from "./arguments.js";
import { toReplies } from "./replies.js";

/** Sends a request: the `fetch` of the host, or a function in its place. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface RestSettings {
  /** The endpoint, for messages. */
  readonly name: string;
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string;
  readonly commandTimeoutMs: number;
}

/** The commands of one call, which wait for the end of this turn. */
interface Queued {
  readonly commands: readonly Command[];
  readonly atomic: boolean;
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: unknown) => void;
}

/** In a request of more commands, the first reply would wait long for the last. */
const MAX_BATCH = 128;

/**
 * Commands over HTTP, in the form of Upstash. Requests are costly and may overtake each other. So the commands of one turn
 * of the event loop are one request, and where they need several these are sent one after another.
 * Sources: https://upstash.com/docs/redis/features/restapi and https://github.com/hiett/serverless-redis-http
 */
export class RestConnection implements Connection {
  readonly #settings: RestSettings;
  readonly #fetch: Fetch;
  readonly #scripts = new ScriptRunner((commands, options) => this.send(commands, options));
  readonly #deadlines: Deadlines;
  /** Requests in progress, which `close` ends. */
  readonly #requests = new Set<AbortController>();
  #queue: Queued[] = [];

  constructor(settings: RestSettings, fetch: Fetch) {
    this.#settings = settings;
    this.#fetch = fetch;
    this.#deadlines = new Deadlines(settings.commandTimeoutMs);
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (commands.length === 0) return Promise.resolve([]);
    // One command is atomic anyway.
    const atomic = options?.atomic === true && commands.length > 1;
    return new Promise((resolve, reject) => {
      if (this.#queue.push({ commands, atomic, resolve, reject }) > 1) return;
      nextTurn().then(() => this.#flush(), reject);
    });
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    const json = toJsonScript(script, args);
    return this.#scripts.run(json.script, keys, json.args, options);
  }

  async *scan({ match, count }: ScanOptions): AsyncIterable<string[]> {
    yield* scanServer((command) => this.send([command]), match, count);
  }

  status(): ConnectionStatus {
    return { state: "closed", lastError: undefined, transport: "rest" };
  }

  async close(): Promise<void> {
    for (const request of this.#requests) request.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #flush(): Promise<void> {
    const queue = this.#queue;
    this.#queue = [];
    for (const batch of toBatches(queue)) await this.#sendBatch(batch);
  }

  async #sendBatch(batch: readonly Queued[]): Promise<void> {
    const commands = batch.flatMap((queued) => queued.commands);
    try {
      const replies = await (batch[0]?.atomic ? this.#transaction(commands) : this.#pipeline(commands));
      let start = 0;
      for (const { commands: own, resolve } of batch) {
        resolve(replies.slice(start, start + own.length));
        start += own.length;
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  async #pipeline(commands: readonly Command[]): Promise<Reply[]> {
    const answer = await this.#post("/pipeline", commands);
    // The endpoint refused the whole request.
    return answer instanceof ReplyError ? commands.map(() => answer) : answer;
  }

  async #transaction(commands: readonly Command[]): Promise<Reply[]> {
    const answer = await this.#post("/multi-exec", commands);
    if (!(answer instanceof ReplyError)) return answer;
    // A command that can't be queued aborts the transaction. Some endpoints report only its error.
    throw answer.code === "ERR" ? new ReplyError("EXECABORT", answer.detail) : answer;
  }

  /** @returns the replies, or the error with which the endpoint refused all commands */
  async #post(path: string, commands: readonly Command[]): Promise<Reply[] | ReplyError> {
    const { name, url, token, commandTimeoutMs } = this.#settings;
    // Fastly has no AbortController. There a request that timed out goes on, and nothing waits for it.
    const controller = typeof AbortController === "undefined" ? undefined : new AbortController();
    let isLate = false;
    const deadline = this.#deadlines.start(commandTimeoutMs, () => {
      isLate = true;
      controller?.abort();
    });
    if (controller) this.#requests.add(controller);
    try {
      const response = await this.#fetch(url + path, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Upstash-Encoding": "base64" },
        body: JSON.stringify(commands.map(toJson)),
        // The token is for this endpoint alone.
        redirect: "manual",
        ...(controller && { signal: controller.signal }),
        ...NO_STORE,
      });
      return toReplies(name, commands, { status: response.status, body: await response.text() });
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
      if (isLate)
        throw new TimeoutError(
          `${name} did not answer within ${commandTimeoutMs} ms; check that it is reachable, or raise commandTimeout`,
        );
      throw new ConnectionError(`${name} could not be reached: ${reasonOf(error)}; check that it is running`, {
        cause: error,
      });
    } finally {
      deadline.clear();
      if (controller) this.#requests.delete(controller);
    }
  }
}

/** Next.js would store the responses of its own `fetch`. Workers store none, and older ones refuse the option. */
const NO_STORE: Pick<RequestInit, "cache"> =
  globalThis.navigator?.userAgent === "Cloudflare-Workers" ? {} : { cache: "no-store" };

/** Node says only "fetch failed", and has the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : { cause: undefined };
  const reason = cause instanceof Error && cause.message !== "" ? cause : error;
  return reason instanceof Error ? reason.message : String(reason);
}

/** What can be one request: commands of several calls, or one transaction. */
function toBatches(queue: readonly Queued[]): Queued[][] {
  const batches: Queued[][] = [];
  let length = 0;
  for (const queued of queue) {
    const last = batches.at(-1);
    const joins = last && !queued.atomic && !last[0]?.atomic && length + queued.commands.length <= MAX_BATCH;
    if (joins) last.push(queued);
    else batches.push([queued]);
    length = queued.commands.length + (joins ? length : 0);
  }
  return batches;
}
