import type { Connection } from "../core/connection.js";
import { show } from "../core/errors.js";
import type { Events } from "../core/events.js";
import { checkWellFormed } from "../core/key.js";
import { tagLabels } from "./labels.js";
import { type LogPlace, purgeLogOf } from "./purge-log.js";
import type { Reader } from "./records.js";

/** In characters. */
const LONGEST_TAG = 1_024;

/** How a purge by tag ends entries: as `PurgeTagsOptions` of the cache has it. */
interface Purging {
  readonly soft?: boolean | undefined;
  readonly only?: Reader | undefined;
}

/** A list of tags, each once. @throws TypeError */
function checkedTags(given: readonly string[]): string[] {
  if (!Array.isArray(given))
    throw new TypeError(`tags: ${show(given)} is not a list of tags; give an array such as ["news"]`);
  const tags: string[] = given;
  for (const tag of tags) {
    if (typeof tag !== "string" || tag === "" || tag.length > LONGEST_TAG) {
      throw new TypeError(`tags: ${show(tag)} is not a tag; give text of 1 to ${LONGEST_TAG} characters`);
    }
    checkWellFormed(tag, "tags");
  }
  return [...new Set(tags)];
}

/** Checks tags, and begins to hash them. @returns what sends the purge @throws TypeError */
export async function preparePurge(
  tags: readonly string[],
  { soft = false, only }: Purging,
): Promise<(connection: Connection, cache: { readonly purges: LogPlace; readonly events: Events }) => Promise<void>> {
  const what = checkedTags(tags);
  const labels = await tagLabels(what);
  return async (connection, { purges, events }) => {
    if (labels.length === 0) return;
    await purgeLogOf(purges).append(connection, labels, soft, only);
    const count = what.length;
    events.emit("purge", () => ({ method: "purgeTags", key: "", count, by: "tag", what, soft, ended: undefined }));
  };
}
