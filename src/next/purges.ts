import type { Cache } from "../cache/cache.js";
import { throwIfError } from "../core/errors.js";
import { tagLabels } from "../tags/labels.js";
import type { Outage } from "./outage.js";

/** As Next gives them: how many seconds what is stale may be served. */
export interface Durations {
  readonly expire?: number;
}

/** How long it is remembered that the time of a tag is over: as long as entries live at most. */
const MEMORY_MS = 366 * 86_400_000;
/** How long after a failure purges are sent again. */
const RETRY_MS = 1_000;
/** How many purges are kept while the store fails. */
const MAX_UNSENT = 1_000;
const SENT = Promise.resolve(true);

/**
 * Purges by tag. One with durations makes entries stale, until its time is over; one without ends them.
 *
 * The end of that time is the remaining lifetime of a key for each tag, so that no clocks are compared.
 */
export class Purges {
  readonly #cache: Cache;
  readonly #outage: Outage;
  /** Purges that were not sent, as the store failed, and those that are under way. */
  readonly #unsent = new Map<string, { readonly tags: readonly string[]; readonly durations: Durations | undefined }>();
  #sending: Promise<boolean> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(cache: Cache, outage: Outage) {
    this.#cache = cache;
    this.#outage = outage;
  }

  /** Purges, and reports errors. What can't be sent is sent before the next read. Never rejects. */
  async add(tags: readonly string[], durations: Durations | undefined): Promise<void> {
    if (tags.length === 0) return;
    const id = JSON.stringify([tags, durations?.expire, durations !== undefined]);
    if (this.#unsent.size < MAX_UNSENT) this.#unsent.set(id, { tags, durations });
    // Others may have been on their way when it came.
    if ((await this.flush()) && this.#unsent.has(id)) await this.flush();
  }

  /** Sends what is unsent. Never rejects. @returns whether all is sent */
  flush(): Promise<boolean> {
    if (this.#unsent.size === 0) return SENT;
    if (this.#outage.lasts) return this.#later();
    // Both handlers are called with the tags of one call of Next: what is equal is sent once.
    this.#sending ??= SENT.then(() => this.#flush()).finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #flush(): Promise<boolean> {
    for (const [id, purge] of this.#unsent) {
      // Before it is sent, as an equal one that comes afterwards may be for what was stored since.
      this.#unsent.delete(id);
      try {
        await this.#purge(purge.tags, purge.durations);
      } catch (error) {
        this.#outage.note(error);
        this.#cache.report(error, "next.revalidateTag", "");
        // A wrong tag would never be sent.
        if (error instanceof TypeError) continue;
        this.#unsent.set(id, purge);
        return this.#later();
      }
    }
    return true;
  }

  /** This process may read nothing meanwhile. */
  async #later(): Promise<boolean> {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      void this.flush();
    }, RETRY_MS).unref();
    return false;
  }

  async #purge(tags: readonly string[], durations: Durations | undefined): Promise<void> {
    const soft = durations !== undefined && durations.expire !== 0;
    if (soft) {
      const keys = (await tagLabels(tags)).map((label) => deadlineKey(this.#cache, label));
      const expireMs = (durations.expire ?? Infinity) * 1_000;
      const commands = keys.map((key) =>
        expireMs < MEMORY_MS
          ? (["SET", key, "", "PX", String(Math.ceil(expireMs) + MEMORY_MS)] as const)
          : (["UNLINK", key] as const),
      );
      for (const reply of await this.#cache.connection.send(commands, { idempotent: true })) throwIfError(reply);
    }
    await this.#cache.purgeTags(tags, { soft });
  }
}

/** Whether the time is over in which an entry with these labels, which was made stale, may be served. */
export async function isPastDeadline(cache: Cache, labels: readonly string[]): Promise<boolean> {
  const commands = labels.map((label) => ["PTTL", deadlineKey(cache, label)] as const);
  const replies = await cache.connection.send(commands, { readOnly: true, primary: true });
  return replies.some((reply) => {
    const leftMs = Number(throwIfError(reply));
    return leftMs >= 0 && leftMs <= MEMORY_MS;
  });
}

function deadlineKey(cache: Cache, label: string): string {
  return String(cache.makeKey(`next-deadline:${label}`));
}
