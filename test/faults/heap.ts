import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What is in use once garbage is collected, in MiB. */
export function collectedHeap(): number {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
