import { createCache } from "valkey-edge-cache";
import { cachedFetch } from "valkey-edge-cache/fetch";

/** One of several processes: with each line, which is a URL, it makes 50 calls at once, and prints what they got. */
const [, , location, keyPrefix] = process.argv;
const cache = createCache({ location: location ?? "", keyPrefix: keyPrefix ?? "" });
const fetch = cachedFetch({ cache });
process.stdin.setEncoding("utf8").on("data", async (url: string) => {
  const texts = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(url.trim())).text()));
  console.log(JSON.stringify([...new Set(texts)]));
});
console.log("ready");
