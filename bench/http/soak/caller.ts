import { setTimeout as sleep } from "node:timers/promises";
import type { CallerName } from "../outgoing/call.ts";
import { open } from "../outgoing/callers.ts";
import { measureMemory } from "./memory.ts";

/** A process that sends as many outgoing calls as it is ordered to, and then says how much memory it has. */
const [, , name = "fetch", location = "", origin = ""] = process.argv;
const CALLERS = 50;
/** Distinct URLs of the calls that hit. */
const HOT = 100;
const send = await open(name as CallerName, location);
let id = 0;

process.on("message", (calls: number) => {
  run(calls).then(
    async () => process.send?.(await measureMemory()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// However the bench ends, this process ends with it.
process.once("disconnect", () => process.exit());

async function run(calls: number): Promise<void> {
  const endAt = id + calls;
  const caller = async (): Promise<void> => {
    while (id < endAt) await call(id++);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/** Of ten calls, seven hit, two miss, and one is aborted: at once, while it waits, or with the body unread. */
async function call(own: number): Promise<void> {
  const kind = own % 10;
  if (kind < 7) {
    await (await send(`${origin}/fresh/1/${own % HOT}`)).arrayBuffer();
  } else if (kind < 9) {
    await (await send(`${origin}/short/1/${own}`)).arrayBuffer();
  } else if (own % 30 === 9) {
    const response = await send(`${origin}/fresh/100/${own % 3_000}`);
    await response.body?.cancel();
  } else {
    const controller = new AbortController();
    const pending = send(`${origin}/slow/5/${own - (own % 60)}`, { signal: controller.signal });
    if (own % 30 === 19) await sleep(1);
    controller.abort();
    await pending.then((response) => response.arrayBuffer()).catch(expectAbort);
  }
}

function expectAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === "AbortError")) throw error;
}
