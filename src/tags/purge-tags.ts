import type { Connection } from "../core/connection.js";
import { show } from "../core/errors.js";
import type { Events } from "../core/events.js";
import { checkWellFormed } from "../core/key.js";
import { tagLabels } from "./labels.js";
import { type LogPlace, purgeLogOf } from "./purge-log.js";
import type { Reader } from "./records.js";

/** In characters. */
const LONGEST_TAG = 1_024;

/** What is purged by tag, and how. */
export interface TagPurge {
  readonly soft?: boolean | undefined;
  readonly only?: Reader | undefined;
}

/** A list of tags. @param method for messages @throws TypeError */
function checkedTags(method: string, tags: readonly string[]): string[] {
  if (!Array.isArray(tags))
    throw new TypeError(`${method}: ${show(tags)} is no list of tags; give one such as ["news"]`);
  for (const tag of tags as unknown[]) {
    if (typeof tag !== "string" || tag === "" || tag.length > LONGEST_TAG) {
      throw new TypeError(`${method}: ${show(tag)} is no tag; give a text of 1 to ${LONGEST_TAG} characters`);
    }
    checkWellFormed(tag, "tags");
  }
  return [...new Set<string>(tags)];
}

/** Checks tags, and begins to hash them. @returns what sends the purge @throws TypeError */
export async function preparePurge(
  tags: readonly string[],
  { soft = false, only }: TagPurge,
): Promise<(connection: Connection, cache: { readonly purges: LogPlace; readonly events: Events }) => Promise<void>> {
  const what = checkedTags("purgeTags", tags);
  const labels = await tagLabels(what);
  return async (connection, { purges, events }) => {
    if (labels.length === 0) return;
    await purgeLogOf(purges).append(connection, labels, soft, only);
    const count = what.length;
    events.emit("purge", () => ({ method: "purgeTags", key: "", count, by: "tag", what, soft, ended: undefined }));
  };
}
