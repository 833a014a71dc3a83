import type { Connection } from "../core/connection.js";
import { show } from "../core/errors.js";
import type { Events } from "../core/events.js";
import { checkWellFormed } from "../core/key.js";
import { tagLabels } from "./labels.js";
import { type LogPlace, purgeLogOf } from "./purge-log.js";
import type { Reader } from "./records.js";

/** In characters. */
const LONGEST_TAG = 1_024;

/** How many tags one purge may ask for together: all such purges are read as a whole. */
const MOST_TOGETHER = 16;

/** How a purge by tag ends entries: as `PurgeTagsOptions` of the cache has it. */
interface Purging {
  readonly soft?: boolean | undefined;
  readonly match?: "any" | "all" | undefined;
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
  { soft = false, match = "any", only }: Purging,
): Promise<(connection: Connection, cache: { readonly purges: LogPlace; readonly events: Events }) => Promise<void>> {
  const what = checkedTags(tags);
  if (match === "all") checkTogether(what);
  const labels = await tagLabels(what);
  return async (connection, { purges, events }) => {
    if (labels.length === 0) return;
    const log = purgeLogOf(purges);
    if (match === "all" && labels.length > 1) await log.appendTogether(connection, labels, soft, only);
    else await log.append(connection, labels, soft, only);
    const count = what.length;
    events.emit("purge", () => ({ method: "purgeTags", key: "", count, by: "tag", what, soft, ended: undefined }));
  };
}

/** @throws TypeError when there are too many tags for entries that have all of them */
export function checkTogether({ length }: readonly string[]): void {
  if (length <= MOST_TOGETHER) return;
  throw new TypeError(`tags: ${length} tags are too many to match all; give at most ${MOST_TOGETHER}`);
}
