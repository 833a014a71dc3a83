import type { Cache } from "../cache/cache.js";
import type { Reply } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import { escapeGlob } from "../core/glob.js";
import { toText } from "../core/text.js";
import type { Stamp } from "../tags/purge-log.js";

/** The name of a hash with all builds, each with where the purge log was when it had its first request. */
const BUILDS = "next-builds";

/** How long after a failure it is noted again. */
const RETRY_MS = 5_000;

/**
 * The builds that have entries. Those of a build are deleted when it has had no requests for a while, as after a deploy: in a
 * rolling one, the instances of both builds keep their own.
 */
export class Builds {
  readonly #cache: Cache;
  readonly #id: string;
  readonly #keepMs: number;
  #notedMs = Number.NEGATIVE_INFINITY;
  #noted: Promise<Stamp | undefined> = Promise.resolve(undefined);

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

  /**
   * Notes in the background that this build has requests, several times in the time that it is kept.
   * @returns where the purge log was when it had its first one; `undefined` if the store fails. Never rejects
   */
  note(): Promise<Stamp | undefined> {
    const nowMs = performance.now();
    if (nowMs - this.#notedMs < this.#keepMs / 4) return this.#noted;
    this.#notedMs = nowMs;
    this.#noted = this.#note().catch((error: unknown) => {
      this.#cache.report(error, "next.builds", "");
      this.#notedMs += RETRY_MS - this.#keepMs / 4;
      return undefined;
    });
    return this.#noted;
  }

  async #note(): Promise<Stamp | undefined> {
    const { connection, parts } = this.#cache;
    const alive = ["SET", this.#key(this.#id), "", "PX", String(this.#keepMs)] as const;
    const replies = await connection.send([alive, ["HGETALL", this.#key()]], { idempotent: true });
    const [, pairs = null] = replies.map(throwIfError);
    const builds = new Map((Array.isArray(pairs) ? pairs : []).map(pairOf));
    this.#clearUnused([...builds.keys()]).catch((error: unknown) => {
      this.#cache.report(error, "next.builds", "");
    });
    const known = builds.get(this.#id)?.split(" ");
    if (known) return [known[0] ?? "", Number(known[1])];
    const met = await parts.settings.tags.meet();
    await met.refresh(connection)?.done;
    const stamp = met.stamp ?? (await met.begin(connection));
    if (!stamp) return undefined;
    const [set = null] = await connection.send([["HSET", this.#key(), this.#id, stamp.join(" ")]], {
      idempotent: true,
    });
    throwIfError(set);
    return stamp;
  }

  async #clearUnused(ids: readonly string[]): Promise<void> {
    const { connection } = this.#cache;
    for (const id of ids) {
      if (id === this.#id) continue;
      const [isUsed = null] = await connection.send([["EXISTS", this.#key(id)]], { readOnly: true, primary: true });
      if (throwIfError(isUsed) !== 0) continue;
      await this.#cache.deletePattern(`${escapeGlob(stem(id))}*`);
      const [gone = null] = await connection.send([["HDEL", this.#key(), id]], { idempotent: true });
      throwIfError(gone);
    }
  }

  #key(id?: string): string {
    return String(this.#cache.makeKey(id === undefined ? BUILDS : `${BUILDS}:${id}`));
  }
}

function pairOf(pair: Reply): [string, string] {
  const [name = "", value = ""] = Array.isArray(pair) ? pair : [];
  return [toText(name as Uint8Array), toText(value as Uint8Array)];
}

/** Begins the keys of a build. Parentheses are escaped, so that no build's stem begins another one's. */
function stem(id: string): string {
  return `next(${id.replace(/[%()]/g, (char) => `%${char.charCodeAt(0).toString(16)}`)}):`;
}
