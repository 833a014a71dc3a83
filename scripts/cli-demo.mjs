// @ts-check

/**
 * Stores the entries that the examples and the picture of docs/cli.md show.
 * @param {import("../src/index.js").Cache} cache
 */
export async function storeDemo(cache) {
  await cache.set("user:1", { name: "Ann", team: 7 }, { ttl: "5m", tags: ["team:7"] });
  await cache.set("user:2", { name: "Bo" }, { ttl: "5m" });
  await cache.expireSoft("user:2");
  await cache.set("order:9", { items: 3 }, { ttl: "5m", version: 2 });
  await cache.sets.add("online", ["ann", "bo"]);
  await cache.namespace("tenant-42").set("user:1", { name: "Cem" }, { ttl: "5m" });
}
