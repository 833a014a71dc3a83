import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Orders, Sightings } from "./scenario.ts";

const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
/** So that all processes have their orders before it is time to begin. */
const HEAD_START_MS = 150;
const LONGEST_MS = 60_000;

/** Processes that use one library, each with a connection of its own. */
export class Fleet implements AsyncDisposable {
  readonly #processes: readonly ChildProcess[];

  private constructor(processes: readonly ChildProcess[]) {
    this.#processes = processes;
  }

  static async launch(size: number, file: string, url: string, ttl: number): Promise<Fleet> {
    const fleet = new Fleet(Array.from({ length: size }, () => fork(worker, [file, url, String(ttl)])));
    try {
      await Promise.all(fleet.#processes.map(answer));
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
    return fleet;
  }

  /** Gives some of the processes the same orders, all by default, and gathers what they saw. */
  async play(orders: Omit<Orders, "startAtMs">, size = this.#processes.length): Promise<Sightings> {
    const startAtMs = Date.now() + HEAD_START_MS;
    const reports = this.#processes.slice(0, size).map((process) => {
      process.send({ ...orders, startAtMs } satisfies Orders);
      return answer(process) as Promise<Sightings>;
    });
    const seen = await Promise.all(reports);
    return { loads: seen.reduce((sum, { loads }) => sum + loads, 0), waits: seen.flatMap(({ waits }) => waits) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) {
      if (process.exitCode !== null || process.signalCode !== null) continue;
      process.kill("SIGKILL");
      await once(process, "exit");
    }
  }
}

/** The next thing that a process says. */
function answer(process: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(new Error("a process does not answer"))), LONGEST_MS);
    const onMessage = (message: unknown): void => settle(() => resolve(message));
    const onExit = (): void => settle(() => reject(new Error("a process has ended; what it says is above")));
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      process.off("message", onMessage).off("exit", onExit);
      finish();
    };
    process.once("message", onMessage).once("exit", onExit);
  });
}
