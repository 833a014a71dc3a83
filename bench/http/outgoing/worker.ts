import { setTimeout as sleep } from "node:timers/promises";
import type { CallerName, Orders } from "./call.ts";
import { open } from "./callers.ts";

/** One process of many: opens one way to send calls, sends them when it is ordered to, and says how long each took. */
const [, , name = "fetch", location = "", ready = ""] = process.argv;
const call = await open(name as CallerName, location);
process.on("message", ({ url, startAtMs, calls }: Orders) => {
  play(url, startAtMs, calls).then(
    (waits) => process.send?.(waits),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// However the bench ends, this process ends with it.
process.once("disconnect", () => process.exit());
// All is loaded, connected and compiled before the first order.
for (let i = 0; i < 20; i++) await (await call(`${ready}/${process.pid}/${i % 2}`)).arrayBuffer();
process.send?.([]);

async function play(url: string, startAtMs: number, calls: number): Promise<number[]> {
  await sleep(Math.max(0, startAtMs - Date.now()));
  return Promise.all(
    Array.from({ length: calls }, async () => {
      const startMs = performance.now();
      await (await call(url)).arrayBuffer();
      return performance.now() - startMs;
    }),
  );
}
