import { setTimeout as sleep } from "node:timers/promises";
import { createCache } from "valkey-edge-cache";
import { checkEntries, type Report } from "./entries.ts";

/** Another process: purges distinct tags, reads one entry, or looks at all, and reports once. */
const [job = "", url = "", keyPrefix = "", key = ""] = process.argv.slice(2);
const cache = createCache({ location: url, keyPrefix });
const report: Report =
  job === "purge" ? await purge() : job === "check" ? await checkEntries(cache, Number(key)) : await read();
process.send?.(report);
await cache.close();
// However the one that gives the orders ends, this process ends with it.
process.disconnect?.();

/** Purges a thousand distinct tags a second until it is told to end: ten each 10 ms. */
async function purge(): Promise<Report> {
  await cache.purgeTags(["ready"]);
  let isEnded = false;
  process.once("message", () => {
    isEnded = true;
  });
  process.once("disconnect", () => process.exit());
  process.send?.({});
  const startMs = performance.now();
  let purges = 0;
  while (!isEnded) {
    const due = performance.now() - startMs;
    const calls: Promise<void>[] = [];
    for (; purges < due; purges++) calls.push(cache.purgeTags([`item:${purges}`], { soft: purges % 2 === 0 }));
    await Promise.all(calls);
    await sleep(Math.max(1, 10 - (performance.now() - startMs - due)));
  }
  return { purges, seconds: (performance.now() - startMs) / 1_000 };
}

async function read(): Promise<Report> {
  return { isAnswered: (await cache.get(key)) !== undefined };
}
