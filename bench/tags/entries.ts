import type { Cache } from "valkey-edge-cache";

/** What another process does. */
export type Job = "purge" | "read" | "check";

/** What another process has to say; by its job. */
export interface Report {
  readonly purges?: number;
  readonly seconds?: number;
  readonly isAnswered?: boolean;
  readonly good?: number;
  readonly soft?: number;
  readonly ended?: number;
}

const keyOf = (id: number): string => `entry:${id}`;
const BATCH = 1_000;

/** Writes entries of one tag each, which is never purged. */
export async function writeEntries(cache: Cache, count: number): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, count - from) }, (_id, i) => from + i);
    await cache.setMany(new Map(ids.map((id) => [keyOf(id), id])), { tags: (id) => [`other:${id}`] });
  }
}

/** How many entries are good, how many a purge made stale, and how many one ended. */
export async function checkEntries(cache: Cache, count: number): Promise<Report> {
  const [loads, seen] = [new Set<number>(), { good: 0, soft: 0, ended: 0 }];
  for (let from = 0; from < count; from += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, count - from) }, (_id, i) => from + i);
    await Promise.all(
      ids.map(async (id) => {
        const load = async (): Promise<never> => {
          loads.add(id);
          throw new Error("not loaded, so that the next check finds the same");
        };
        // A stale value is answered while, or because, the load fails.
        const isAnswered = await cache.getOrSet(keyOf(id), load).then(
          () => true,
          () => false,
        );
        seen[!isAnswered ? "ended" : loads.has(id) ? "soft" : "good"]++;
      }),
    );
  }
  return seen;
}
