import DataLoader from "dataloader";
import type { Cache } from "valkey-edge-cache";
import type { Opened } from "./requests.ts";

/** A loader for one request, over a cache: as its documentation recommends, with one batch for the keys of a turn. */
export function dataloader(cache: Cache): Opened {
  const loader = new DataLoader<string, unknown>(async (keys) => {
    const found = await cache.getMany(keys);
    return keys.map((key) => found.get(key));
  });
  return { read: (key) => loader.load(key) };
}
