import type { Connection } from "../core/connection.js";
import type { Events } from "../core/events.js";
import { tagLabels } from "./labels.js";
import { type LogPlace, purgeLogOf } from "./purge-log.js";
import type { Reader } from "./records.js";
import { toTags } from "./tags.js";

/** How many tags one purge may ask for together: all such purges are read as a whole. */
const MOST_TOGETHER = 16;

/** How a purge by tag ends entries: as `PurgeTagsOptions` of the cache has it. */
interface Purging {
  readonly soft?: boolean | undefined;
  readonly match?: "any" | "all" | undefined;
  readonly only?: Reader | undefined;
}

/** Checks tags, and begins to hash them. @returns what sends the purge @throws TypeError */
export async function preparePurge(
  tags: readonly string[],
  { soft = false, match: how = "any", only }: Purging,
): Promise<(connection: Connection, cache: { readonly purges: LogPlace; readonly events: Events }) => Promise<void>> {
  const what = [...new Set(toTags(tags, "tags", Infinity))];
  // One tag is any and all.
  const match = what.length > 1 ? how : "any";
  if (match === "all") checkTogether(what);
  const labels = await tagLabels(what);
  return async (connection, { purges, events }) => {
    if (labels.length === 0) return;
    const log = purgeLogOf(purges);
    if (match === "all") await log.appendTogether(connection, labels, soft, only);
    else await log.append(connection, labels, soft, only);
    const count = what.length;
    const purge = { by: "tag", what, match, soft, ended: undefined } as const;
    events.emit("purge", () => ({ method: "purgeTags", key: "", count, ...purge }));
  };
}

/** @throws TypeError when there are too many tags for entries that have all of them */
export function checkTogether({ length }: readonly string[]): void {
  if (length <= MOST_TOGETHER) return;
  throw new TypeError(`tags: ${length} tags are too many to match all; give at most ${MOST_TOGETHER}`);
}
