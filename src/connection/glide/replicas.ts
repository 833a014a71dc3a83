import type { Reply } from "../../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import { withDeadline } from "../resilience/deadline.js";

/** The commands that replicas may answer. Cursors and the state of a server differ between servers. */
export const READS =
  /^(?:EXISTS|GET|GETBIT|GETRANGE|[HP]?EXPIRETIME|H(?:EXISTS|GET|GETALL|KEYS|LEN|MGET|STRLEN|VALS)|L(?:INDEX|LEN|POS|RANGE)|MGET|P?TTL|S(?:CARD|DIFF|INTER|INTERCARD|ISMEMBER|MEMBERS|MISMEMBER|RANDMEMBER|TRLEN|UNION)|TYPE|Z(?:CARD|COUNT|MSCORE|RANGE|(?:REV)?RANGEBYSCORE|RANK|SCORE))$/i;

/** Replies by which a replica says that it can't serve reads. ACLs are not replicated. */
const UNABLE: ReadonlySet<string> = new Set(["LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "NOPERM", "NOAUTH"]);

export function isUnable(reply: Reply): boolean {
  return reply instanceof ReplyError && UNABLE.has(reply.code);
}

/** After this number of reads that replicas left unanswered, the primary answers. */
const MAX_SILENCES = 3;
/** How long it does. Then one read tries the replicas again. */
const AVOID_MS = 10_000;

/** Whether replicas answer: those that stay silent are avoided for a while. All share one record, as the one that was asked is not known. */
export class Replicas {
  readonly #commandTimeoutMs: number;
  readonly #hasDeadline: boolean;
  /** Unanswered reads, each soon after the one before. */
  #silences = 0;
  #lastSilenceMs = 0;

  /** @param hasDeadline whether the client that reads has half of `commandTimeoutMs` itself */
  constructor(commandTimeoutMs: number, hasDeadline: boolean) {
    this.#commandTimeoutMs = commandTimeoutMs;
    this.#hasDeadline = hasDeadline;
  }

  /** Whether the next read goes to the replicas. */
  areTried(): boolean {
    if (this.#silences < MAX_SILENCES) return true;
    const nowMs = performance.now();
    if (nowMs - this.#lastSilenceMs < AVOID_MS) return false;
    // The other reads still go to the primary.
    this.#lastSilenceMs = nowMs;
    return true;
  }

  /** The replies within half of the deadline, which leaves time to ask the primary. Nothing where there are none. */
  async replies(reading: Promise<Reply[]>, isClosed: () => boolean): Promise<Reply[]> {
    try {
      const timeoutError = () => new TimeoutError("the replica did not answer in time");
      const replies = await (this.#hasDeadline
        ? reading
        : withDeadline(reading, this.#commandTimeoutMs / 2, timeoutError));
      // Another replica may have answered, and the next silence shows that.
      if (this.#silences >= MAX_SILENCES) this.#silences = MAX_SILENCES - 1;
      return replies;
    } catch (error) {
      if (isClosed() || !(error instanceof ConnectionError)) throw error;
      if (error instanceof TimeoutError) this.#recordSilence();
      return [];
    }
  }

  #recordSilence(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastSilenceMs > AVOID_MS + this.#commandTimeoutMs) this.#silences = 0;
    this.#silences++;
    this.#lastSilenceMs = nowMs;
  }
}
