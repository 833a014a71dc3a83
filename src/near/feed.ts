import type { LogReader } from "../core/near.js";
import { type Published, readPublished } from "./messages.js";

/** How many messages wait for a read of what was appended before. */
const MAX_WAITING = 1_000;

/**
 * What is published of a watched log, for one reader and while its watch lasts.
 *
 * The server sends a message when a script publishes it, and notifies of changed keys when it has run all commands that had
 * arrived: once for each key, however often it was changed. So on one connection a message comes before the notification of its
 * change, and a notification that follows messages says nothing new, unless something else has changed the log between them and
 * it. What appends must allow for that: see `PurgeLog`.
 */
export class Feed {
  readonly reader: LogReader;
  readonly #waiting: Published[] = [];
  /** There were messages since the last notification. */
  #isExpected = false;
  /** It can't be continued: the log is another one, or too much waits. */
  isOver = false;

  constructor(reader: LogReader) {
    this.reader = reader;
  }

  hear(message: string): void {
    const one = readPublished(message);
    if (one.epoch !== this.reader.stamp?.[0] || this.#waiting.length >= MAX_WAITING) {
      this.isOver = true;
      return;
    }
    this.#isExpected = true;
    this.#waiting.push(one);
    this.#give();
  }

  /** The server has notified of a change. @returns whether that says no more than messages did */
  explainsChange(): boolean {
    const isExplained = this.#isExpected && !this.isOver;
    this.#isExpected = false;
    return isExplained;
  }

  /** Whether the reader knows all that was published. */
  isWhole(): boolean {
    if (this.#waiting.length > 0) this.#give();
    return this.#waiting.length === 0 && !this.isOver;
  }

  /** Gives the reader what continues what it knows. What it has read meanwhile it knows already. */
  #give(): void {
    for (const { epoch, after, number, records } of [...this.#waiting]) {
      const [known, last] = this.reader.stamp ?? [];
      if (epoch === known && number > Number(last)) {
        // Without records it says nothing.
        if (after !== last || records.length === 0) return;
        this.reader.add(records.flatMap((record) => [record, number]));
      }
      this.#waiting.shift();
    }
  }
}
