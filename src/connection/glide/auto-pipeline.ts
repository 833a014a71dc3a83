import type { Argument, Command, Reply } from "../../core/connection.js";

interface Queued {
  readonly commands: readonly Command[];
  readonly text: boolean;
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: unknown) => void;
}

type Send = (commands: readonly Command[], text: boolean) => Promise<Reply[]>;

/** A batch of fewer commands costs more than sending them one by one. */
const MIN_BATCH = 4;
/** In a longer batch the first reply would wait for the last. */
const MAX_BATCH = 128;
/** More commands of one call are a batch of their own. Two are a read of a near cache: the value and its lifetime. */
const MAX_COMMANDS = 2;
/** Commands with more parts, such as MGET, have long replies. */
const MAX_PARTS = 8;
/** In bytes or characters. Longer parts cost more in a batch, which holds all of them in memory at once. */
const MAX_PART_LENGTH = 16_384;

/**
 * Automatic pipelining: sends the commands of one turn of the event loop as one batch. In a batch each command costs less
 * than alone. Callers that are answered together send their next commands together.
 */
export class AutoPipeline {
  readonly #send: Send;
  #queue: Queued[] = [];
  /** Whether the last reply was long, which predicts the length of the next ones. */
  #repliesAreLong = false;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Whether the commands of a call gain from a batch. Send others directly, after `flush()`. */
  accepts(commands: readonly Command[]): boolean {
    if (this.#repliesAreLong || commands.length > MAX_COMMANDS) return false;
    return commands.every((command) => command.length <= MAX_PARTS && !command.some(isLong));
  }

  /** Records the reply to a single command, or the first reply of a batch. */
  recordReply(reply: Reply): void {
    this.#repliesAreLong = isLong(reply);
  }

  /** Queues the commands of a call until the end of this turn. @returns their replies */
  send(commands: readonly Command[], text: boolean): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      if (this.#queue.push({ commands, text, resolve, reject }) === 1) queueMicrotask(() => this.flush());
    });
  }

  /** Sends all queued commands now, so that commands sent directly don't overtake them. */
  flush(): void {
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    for (let start = 0, end = 0; start < queue.length; start = end) {
      const text = queue[start]?.text === true;
      let count = 0;
      for (; end < queue.length && count < MAX_BATCH && queue[end]?.text === text; end++) {
        count += queue[end]?.commands.length ?? 0;
      }
      this.#sendRun(queue.slice(start, end), text);
    }
  }

  /** Sends consecutive commands with the same decoder, so that all commands keep their order. */
  #sendRun(run: readonly Queued[], text: boolean): void {
    if (run.length >= MIN_BATCH) this.#sendBatch(run, text);
    else for (const { commands, resolve, reject } of run) this.#send(commands, text).then(resolve, reject);
  }

  #sendBatch(batch: readonly Queued[], text: boolean): void {
    const all = batch.flatMap(({ commands }) => commands);
    this.#send(all, text).then(
      (replies) => {
        let next = 0;
        for (const { commands, resolve } of batch) resolve(commands.map(() => replies[next++] ?? null));
      },
      (error) => {
        for (const { reject } of batch) reject(error);
      },
    );
  }
}

function isLong(part: Argument | Reply): boolean {
  return (typeof part === "string" || part instanceof Uint8Array) && part.length > MAX_PART_LENGTH;
}
