import type { Cache } from "../cache/cache.js";
import { throwIfError } from "../core/errors.js";
import { escapeGlob } from "../core/glob.js";

const BUILDS = "next-builds";

/**
 * The builds that have entries. Those of a build are deleted when it has had no requests for a while, as after a deploy: in a
 * rolling one, the instances of both builds keep their own.
 */
export class Builds {
  readonly #cache: Cache;
  readonly #id: string;
  readonly #keepMs: number;
  #noted = Number.NEGATIVE_INFINITY;

  constructor(cache: Cache, id: string, keepMs: number) {
    this.#cache = cache;
    this.#id = id;
    this.#keepMs = keepMs;
  }

  /** The name of an entry of this build. */
  name(kind: string, key: string): string {
    return `${stem(this.#id)}${kind}:${key}`;
  }

  /** A tag that all entries of this build have. */
  get tag(): string {
    return stem(this.#id);
  }

  /** Notes in the background that this build has requests, several times in the time that it is kept. */
  note(): void {
    const nowMs = performance.now();
    if (nowMs - this.#noted < this.#keepMs / 4) return;
    this.#noted = nowMs;
    this.#note().catch((error: unknown) => {
      this.#cache.report(error, "next.builds", "");
    });
  }

  async #note(): Promise<void> {
    const list = this.#key(BUILDS);
    const replies = await this.#cache.connection.send(
      [
        ["SET", this.#key(`${BUILDS}:${this.#id}`), "", "PX", String(this.#keepMs)],
        ["SADD", list, this.#id],
        ["SMEMBERS", list],
      ],
      { idempotent: true },
    );
    const [, , members = null] = replies.map(throwIfError);
    const others = (Array.isArray(members) ? members.map(String) : []).filter((id) => id !== this.#id);
    for (const id of others) await this.#clearUnused(id, list);
  }

  async #clearUnused(id: string, list: string): Promise<void> {
    const { connection } = this.#cache;
    const [isUsed = null] = await connection.send([["EXISTS", this.#key(`${BUILDS}:${id}`)]], {
      readOnly: true,
      primary: true,
    });
    if (throwIfError(isUsed) !== 0) return;
    // One process deletes them.
    const [isFirst = null] = await connection.send([["SREM", list, id]]);
    if (throwIfError(isFirst) !== 1) return;
    try {
      await this.#cache.deletePattern(`${escapeGlob(stem(id))}*`);
    } catch (error) {
      // Another process goes on.
      await connection.send([["SADD", list, id]]);
      throw error;
    }
  }

  #key(name: string): string {
    return String(this.#cache.makeKey(name));
  }
}

/** Begins the keys of a build. Parentheses are escaped, so that no build's stem begins another one's. */
function stem(id: string): string {
  return `next(${id.replace(/[%()]/g, encodeURIComponent)}):`;
}
