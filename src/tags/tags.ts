import { show } from "../core/errors.js";
import { checkWellFormed } from "../core/key.js";
import type { EntryTags } from "./entry-tags.js";
import type { LogPlace } from "./purge-log.js";

/** The most tags of one entry. */
const MAX_TAGS = 128;
/** The most characters of one tag. */
const MAX_LENGTH = 1_024;

/**
 * A list of tags.
 * @param name of the option or argument, for messages
 * @param most how many there may be
 * @throws TypeError
 */
export function toTags(given: unknown, name: string, most = MAX_TAGS): readonly string[] {
  if (typeof given !== "object" || given === null || !(Symbol.iterator in given) || ArrayBuffer.isView(given)) {
    throw new TypeError(`${name}: ${show(given)} is not a list of tags; give an array such as ["news"]`);
  }
  const tags = [...(given as Iterable<string>)];
  for (const tag of tags) {
    if (typeof tag !== "string" || tag === "" || tag.length > MAX_LENGTH) {
      throw new TypeError(`${name}: ${show(tag)} is not a tag; give text of 1 to ${MAX_LENGTH} characters`);
    }
    checkWellFormed(tag, name);
  }
  if (tags.length <= most) return tags;
  const once = [...new Set(tags)];
  if (once.length <= most) return once;
  throw new TypeError(`${name}: ${once.length} tags are too many; give an entry at most ${most}`);
}

/** Tags of the entries of one cache and all its views: nothing until this process meets the first one. */
export class Tags {
  /** What knows tags, once the process has met one. Then every read learns of purges. */
  met: EntryTags | undefined;
  readonly #purges: LogPlace;

  constructor(purges: LogPlace) {
    this.#purges = purges;
  }

  /** Loads what knows tags: code that most processes never need. */
  async meet(): Promise<EntryTags> {
    if (this.met) return this.met;
    const { EntryTags } = await import("./entry-tags.js");
    this.met ??= new EntryTags(this.#purges);
    return this.met;
  }
}
