import { Redis } from "iovalkey";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import type { Server } from "../harness/server.ts";
import { median } from "../harness/statistics.ts";

/** What writes cost the server while clients listen for changes. */
export interface ListenerCase {
  readonly listeners: number;
  /** Whether what is written begins with the prefix that they listen to. */
  readonly matches: boolean;
  /** CPU time of the server for 1,000 writes, in milliseconds: the median of all rounds. */
  readonly cpuMs: number;
}

const WRITES = 20_000;
/** Writes of one round trip. */
const BATCH = 100;

/** Listeners as a near cache has them: RESP3, tracking by prefix, in the same process as the writer. */
export async function measureListeners(server: Server, options: BenchOptions): Promise<ListenerCase[]> {
  if (!isWanted("listeners", options)) return [];
  const { hostname: host, port } = new URL(server.url);
  const writer = new Redis({ host, port: Number(port) });
  const cases: ListenerCase[] = [];
  const listeners: Disposable[] = [];
  for (const count of [0, 1, 10, 100]) {
    while (listeners.length < count) listeners.push(await listen(host, Number(port), "near:"));
    for (const matches of count === 0 ? [true] : [true, false]) {
      const prefix = matches ? "near:" : "far:";
      const rounds: number[] = [];
      for (let round = -1; round < (options.quick ? 1 : 5); round++) {
        const beforeMs = await cpuOf(server);
        for (let i = 0; i < WRITES; i += BATCH) {
          await Promise.all(
            Array.from({ length: BATCH }, (_write, j) => writer.set(`${prefix}${(i + j) % 1_000}`, "x".repeat(100))),
          );
        }
        if (round >= 0) rounds.push((((await cpuOf(server)) - beforeMs) * 1_000) / WRITES);
      }
      cases.push({ listeners: count, matches, cpuMs: median(rounds) });
      console.log(`${count} listeners, ${matches ? "matching" : "other"} keys: ${median(rounds).toFixed(2)} ms`);
    }
  }
  for (const one of listeners) one[Symbol.dispose]();
  writer.disconnect();
  return cases;
}

/** CPU time of the server so far, in milliseconds, with its threads. */
async function cpuOf(server: Server): Promise<number> {
  const info = String(await server.command("INFO", "cpu"));
  const seconds = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
  return 1_000 * (seconds("used_cpu_sys") + seconds("used_cpu_user"));
}

async function listen(host: string, port: number, prefix: string): Promise<Disposable> {
  const { connect } = await import("node:net");
  const socket = connect({ host, port });
  const heard = new Promise<void>((resolve, reject) => {
    let text = "";
    socket.on("error", reject);
    socket.on("data", (bytes) => {
      // What comes afterwards is read and let go.
      if (text.includes("+OK")) return;
      text += bytes.toString("latin1");
      if (text.includes("+OK")) resolve();
    });
  });
  socket.write(`HELLO 3\r\nCLIENT TRACKING ON BCAST PREFIX ${prefix}\r\n`);
  await heard;
  return { [Symbol.dispose]: () => void socket.destroy() };
}
