import { trim } from "./fields.js";

/** RFC 9110 §8.8.3. */
export interface EntityTag {
  readonly weak: boolean;
  /** With its quotes. A tag without them is none, but is kept, as it can still equal itself. */
  readonly opaque: string;
}

/** What stands before a quote and is not `W/`, as in `w/"a"`, makes a tag of its own, which equals no proper one. */
const TAG = /(?:W\/)?"[^"]*"|[^\s,"]+(?:"[^"]*")?/g;

export function parseEntityTag(text: string): EntityTag {
  const tag = trim(text);
  return tag.startsWith("W/") ? { weak: true, opaque: tag.slice(2) } : { weak: false, opaque: tag };
}

/** The tags in a list. A tag may hold commas, so the list can't be split at them. */
export function parseEntityTags(value: string): EntityTag[] {
  return Array.from(value.matchAll(TAG), ([text]) => parseEntityTag(text));
}

/** RFC 9110 §8.8.3.2. */
export function weaklyEqual(a: EntityTag, b: EntityTag): boolean {
  return a.opaque === b.opaque;
}

/** Only strong tags are strongly equal. */
export function stronglyEqual(a: EntityTag, b: EntityTag): boolean {
  return !a.weak && !b.weak && a.opaque === b.opaque;
}
