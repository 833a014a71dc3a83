import { createCache } from "valkey-edge-cache";
import { reportStatistics } from "valkey-edge-cache/inspector";

/** One of several processes, which uses its cache ten times a second. */
const [, , location = "", keyPrefix = ""] = process.argv;
const cache = createCache({ location, keyPrefix });
reportStatistics(cache);
await cache.set("a", 1);
setInterval(() => void cache.get("a").catch(() => {}), 100);
console.log("ready");
