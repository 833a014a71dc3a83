import { type Fields, fieldValue, hasControlCharacter, listMembers } from "./fields.js";
import { isSafe } from "./methods.js";
import { parseStructuredStrings } from "./structured.js";

/** What a stored response can be purged by besides its URL. */
export interface Labels {
  /** From Cache-Tag (separated by commas) and Surrogate-Key (separated by white space); they hold in all of the cache. */
  readonly tags: readonly string[];
  /** From Cache-Groups; they hold within the response's origin. RFC 9875 §2. */
  readonly groups: readonly string[];
}

/**
 * As many labels as a response can have, and as long. RFC 9875 §2 asks for 32 of 32 characters at least.
 * A response with more can't be stored: it could not be found again to purge it.
 */
const MAX_LABELS = 128;
const MAX_LABEL_LENGTH = 1_024;

/**
 * `undefined` when there are too many, or one is too long.
 * @param preset what middleware outside has set, whose labels count, too
 */
export function responseLabels(own: Fields, preset: Fields = []): Labels | undefined {
  const fields = preset.length > 0 ? [...own, ...preset] : own;
  const tags = listMembers(fieldValue(fields, "cache-tag") ?? "");
  const keys = (fieldValue(fields, "surrogate-key") ?? "").split(/[\s,]+/).filter((key) => key !== "");
  const labels = { tags: [...new Set([...tags, ...keys])], groups: strings(fields, "cache-groups") };
  const all = [...labels.tags, ...labels.groups];
  const isTooMuch = all.length > MAX_LABELS || all.some((label) => label.length > MAX_LABEL_LENGTH);
  return isTooMuch || all.some(hasControlCharacter) ? undefined : labels;
}

/** The groups that a response makes invalid in its origin: those of Cache-Group-Invalidation, unless the method is safe. RFC 9875 §3. */
export function invalidatedGroups(method: string, response: Fields): string[] {
  return isSafe(method) ? [] : strings(response, "cache-group-invalidation");
}

function strings(fields: Fields, name: string): string[] {
  return parseStructuredStrings(fieldValue(fields, name) ?? "") ?? [];
}
