import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Orders, Sightings } from "./orders.js";

const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
/** So that all have their orders before it is time to begin. */
const HEAD_START_MS = 60;

export interface ProcessOptions {
  readonly url: string;
  /** @default 1 */
  readonly connections?: number;
  /** In seconds. @default 5 */
  readonly lease?: number;
  /** Whether its caches have a near cache, which listens before the process is told anything. @default false */
  readonly near?: boolean;
}

/** A process with a herd client. */
export class HerdProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start({ url, connections = 1, lease = 5, near = false }: ProcessOptions): Promise<HerdProcess> {
    const one = new HerdProcess(fork(worker, [url, String(connections), String(lease), near ? "near" : ""]));
    await one.#next((said) => said === "ready");
    return one;
  }

  /** What it saw; rejects when it ends before. */
  follow(orders: Partial<Orders> & Pick<Orders, "key">): Promise<Sightings> {
    const seen = this.#next((said) => typeof said === "object" && said !== null && "loads" in said);
    this.#child.send({ startAtMs: Date.now(), callers: 1, forMs: 0, ttl: 60, loadMs: 300, ...orders } satisfies Orders);
    return seen as Promise<Sightings>;
  }

  /** Resolves when its loader begins. */
  async loading(key: string): Promise<void> {
    await this.#next((said) => typeof said === "object" && said !== null && "loading" in said && said.loading === key);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }

  #next(wanted: (said: unknown) => boolean): Promise<unknown> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const onMessage = (said: unknown): void => {
        if (wanted(said)) settle(() => resolve(said));
      };
      const onExit = (): void => settle(() => reject(new Error("a process has ended; what it says is above")));
      const settle = (finish: () => void): void => {
        child.off("message", onMessage).off("exit", onExit);
        finish();
      };
      child.on("message", onMessage).on("exit", onExit);
    });
  }
}

/** Gives all the same orders, to be begun at the same time. What they saw together. */
export async function followAll(
  processes: readonly HerdProcess[],
  orders: Partial<Orders> & Pick<Orders, "key">,
): Promise<Sightings> {
  const startAtMs = Date.now() + HEAD_START_MS;
  const seen = await Promise.all(processes.map((one) => one.follow({ startAtMs, ...orders })));
  const sum = (pick: (one: Sightings) => number) => seen.reduce((total, one) => total + pick(one), 0);
  return {
    loads: sum(({ loads }) => loads),
    values: [...new Set(seen.flatMap(({ values }) => values))],
    longestMs: Math.max(...seen.map(({ longestMs }) => longestMs)),
    waits: sum(({ waits }) => waits),
    fenced: sum(({ fenced }) => fenced),
  };
}
