import type { Argument, Command, Reply } from "../../core/connection.js";

interface Waiting {
  readonly command: Command;
  readonly text: boolean;
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: unknown) => void;
}

type Send = (commands: readonly Command[], text: boolean) => Promise<Reply[]>;

/** Fewer than this cost less one by one. */
const LEAST = 4;
/** More would keep the first waiting for the last. */
const MOST = 128;
/** Commands of more parts have long replies. */
const MOST_PARTS = 8;
/** In bytes, or characters: what is longer costs more joined than alone, as all of it is in memory at once. */
const LONG = 16_384;

/**
 * Joins commands that are sent in one turn of the event loop, as those of many callers answered together are: in one
 * message each costs less than alone.
 */
export class Bunch {
  readonly #isIdle: () => boolean;
  readonly #send: Send;
  #waiting: Waiting[] = [];
  /** Whether the last reply was long: those of one time are mostly alike. */
  #repliesAreLong = false;

  /** @param isIdle whether no reply is awaited */
  constructor(isIdle: () => boolean, send: Send) {
    this.#isIdle = isIdle;
    this.#send = send;
  }

  /** Whether a command is better joined with others; what is not is to be sent past the bunch, once that is flushed. */
  takes(command: Command): boolean {
    return !this.#repliesAreLong && command.length <= MOST_PARTS && !command.some(isLong);
  }

  /** Told of the reply to a lone command, or the first one to several. */
  heard(reply: Reply): void {
    this.#repliesAreLong = isLong(reply);
  }

  /** The reply, in a list of its own. */
  send(command: Command, text: boolean): Promise<Reply[]> {
    // Nobody else is about: a lone caller has nothing to wait for.
    if (this.#waiting.length === 0 && this.#isIdle()) return this.#send([command], text);
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ command, text, resolve, reject }) === 1) queueMicrotask(() => this.flush());
    });
  }

  /** Sends what is waiting now: what is sent past the bunch must not overtake it. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0, end = 0; start < waiting.length; start = end) {
      const text = waiting[start]?.text === true;
      while (end < waiting.length && end - start < MOST && waiting[end]?.text === text) end++;
      this.#sendRun(waiting.slice(start, end), text);
    }
  }

  /** Commands in a row that are decoded alike, so that all keep their order. */
  #sendRun(run: readonly Waiting[], text: boolean): void {
    if (run.length >= LEAST) this.#join(run, text);
    else for (const { command, resolve, reject } of run) this.#send([command], text).then(resolve, reject);
  }

  #join(waiting: readonly Waiting[], text: boolean): void {
    const commands = waiting.map((one) => one.command);
    this.#send(commands, text).then(
      (replies) => {
        for (const [i, { resolve }] of waiting.entries()) resolve([replies[i] ?? null]);
      },
      (error) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}

function isLong(part: Argument | Reply): boolean {
  return (typeof part === "string" || part instanceof Uint8Array) && part.length > LONG;
}
