import fc from "fast-check";
import type { Argument, Command, Connection, Reply, Script, SendOptions } from "../../src/core/connection.js";
import type { ListenerAccess } from "../../src/core/near.js";
import { Listening, type ListeningHandlers } from "../../src/near/listening.js";
import type { Source } from "../../src/near/source.js";
import { deferred } from "../support/deferred.js";

// What runs of near caches over a scheduled server are made of: the scheduler of fast-check decides when each command reaches the
// server, when its reply comes back, and when the process hears of a change.

export type Later = (what: string, run: () => void) => void;

/** What runs commands, each at one moment. */
export interface Serving {
  run(command: Command): Reply | Promise<Reply>;
  script(script: Script, keys: readonly string[], args: readonly Argument[]): Reply | Promise<Reply>;
}

interface Request {
  readonly steps: (() => Reply | Promise<Reply>)[];
  readonly replies: (Reply | Promise<Reply>)[];
  resolve(replies: Reply[]): void;
  reject(error: unknown): void;
}

/** A connection whose commands wait for the scheduler. Without an order it stands for several connections. */
export class ScheduledConnection implements Connection {
  /** Whether the next request is lost: the caller gets an error, and the server may run it all the same. */
  losesNext = false;
  readonly #server: Serving;
  readonly #later: Later;
  readonly #isOrdered: boolean;
  readonly #sent: Request[] = [];
  readonly #served: Request[] = [];

  constructor(server: Serving, later: Later, isOrdered: boolean) {
    this.#server = server;
    this.#later = later;
    this.#isOrdered = isOrdered;
  }

  send(commands: readonly Command[], _options?: SendOptions): Promise<Reply[]> {
    return this.#request(commands.map((command) => () => this.#server.run(command)));
  }

  async script(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    const [reply = null] = await this.#request([() => this.#server.script(script, keys, args)]);
    return reply;
  }

  /** The commands of others may come between those of one request. */
  #request(steps: Request["steps"]): Promise<Reply[]> {
    const { promise, resolve, reject } = deferred<Reply[]>();
    const request: Request = { steps, replies: [], resolve, reject };
    this.#sent.push(request);
    for (const _step of steps) this.#later("serve", () => this.#serve(request));
    if (this.losesNext) this.#later("lose a reply", () => reject(new Error("lost")));
    this.losesNext = false;
    return promise;
  }

  #serve(own: Request): void {
    const request = (this.#isOrdered && this.#sent[0]) || own;
    const step = request.steps.shift();
    if (step) request.replies.push(step());
    if (request.steps.length > 0) return;
    this.#sent.splice(this.#sent.indexOf(request), 1);
    this.#served.push(request);
    this.#later("reply", () => {
      const next = (this.#isOrdered && this.#served[0]) || request;
      this.#served.splice(this.#served.indexOf(next), 1);
      Promise.all(next.replies).then(next.resolve, next.reject);
    });
  }

  scan(): AsyncIterable<string[]> {
    throw new Error("SCAN is not modelled");
  }

  status(): ReturnType<Connection["status"]> {
    return { state: "closed", lastError: undefined };
  }

  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Listens to nothing: the model says what it hears, and what vouches for entries. */
export class HeldListening extends Listening {
  readonly handlers: ListeningHandlers;
  source: Source | undefined;

  constructor(...args: ConstructorParameters<typeof Listening>) {
    super(...args);
    this.handlers = args[2];
    listening = this;
  }

  override listen(): void {
    this.generation++;
  }

  override sourceOf(): Source | undefined {
    return this.source;
  }
}

/** That of the run. */
export let listening: HeldListening;

export const ACCESS: ListenerAccess = {
  key: "scheduled",
  name: "scheduled",
  connectTimeoutMs: 1_000,
  follows: false,
  addresses: async () => [],
  open: () => Promise.reject(new Error("not reached")),
  login: async () => ({ username: undefined, password: undefined }),
};

/** All that is done at once, before something else comes in. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export const scheduler = fc.scheduler({
  act: async (run) => {
    await run();
    await settled();
  },
});
