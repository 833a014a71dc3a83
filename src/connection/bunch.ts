import type { Command, Reply } from "../core/command.js";

interface Waiting {
  readonly command: Command;
  readonly text: boolean;
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: unknown) => void;
}

type Send = (commands: readonly Command[], text: boolean) => Promise<Reply[]>;

/** Fewer than this cost less one by one. */
const LEAST = 32;
/** More would keep the first waiting for the last. */
const MOST = 128;

/**
 * Joins commands that are sent in one turn of the event loop, as those of many callers answered together are: in one
 * message each costs less than alone.
 */
export class Bunch {
  readonly #send: Send;
  #waiting: Waiting[] = [];

  constructor(send: Send) {
    this.#send = send;
  }

  /** The reply, in a list of its own. */
  send(command: Command, text: boolean): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ command, text, resolve, reject }) === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length < LEAST) {
      for (const { command, text, resolve, reject } of waiting) this.#send([command], text).then(resolve, reject);
      return;
    }
    for (const text of [true, false]) {
      const alike = waiting.filter((one) => one.text === text);
      for (let at = 0; at < alike.length; at += MOST) this.#join(alike.slice(at, at + MOST), text);
    }
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
