import { type Orders, play } from "./scenario.ts";
import type { OpenSubject } from "./subject.ts";

/** One process of many: opens the library that it is told, and follows orders until it is told to end. */
const [file = "", url = "", ttl = ""] = process.argv.slice(2);
const { open } = (await import(new URL(`subjects/${file}.ts`, import.meta.url).href)) as { open: OpenSubject };
const subject = await open(url, Number(ttl));
// All is loaded and connected before the first order.
await subject.getOrSet(`ready:${process.pid}`, async () => ({}));

process.on("message", (orders: Orders) => {
  play(subject, orders).then(
    (sightings) => process.send?.(sightings),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// However the one that gives the orders ends, this process ends with it.
process.once("disconnect", () => process.exit());
process.send?.("ready");
