import { createServer } from "node:http";
import { median, quantile } from "../harness/statistics.ts";
import type { HttpContender } from "../http/program.ts";
import type { Application, Handlers } from "./application.ts";

/** Many requests at once of a page that no instance has. */
export interface ColdCase {
  readonly page: string;
  readonly instances: number;
  /** To each instance. */
  readonly requests: number;
  /** How long a generation waits for what it loads, in milliseconds. */
  readonly originMs: number;
  readonly contenders: readonly {
    readonly name: string;
    /** The maximum of all rounds. The times are medians of all rounds. */
    readonly generations: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  }[];
}

const INSTANCES = 8;
const REQUESTS = 50;
const ORIGIN_MS = 200;

export interface ColdPage {
  readonly page: string;
  readonly application: Application;
  readonly path: string;
  /** What it loads. */
  readonly loads: string;
}

export async function measureCold(
  { page, application, path, loads }: ColdPage,
  contenders: readonly Handlers[],
  { location, rounds }: { location: string; rounds: number },
): Promise<ColdCase> {
  await using origin = await startOrigin(ORIGIN_MS);
  const rows: ColdCase["contenders"][number][] = [];
  for (const handlers of contenders) {
    const instances = await Promise.all(
      Array.from({ length: INSTANCES }, () => application.start(handlers, { origin: origin.url, location })),
    );
    const generations: number[] = [];
    const p50s: number[] = [];
    const p99s: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const id = `cold-${handlers.name.replace(/\W/g, "")}-${round}`;
      const waits = await request(instances, `${path}/${id}`);
      generations.push(origin.calls(`${loads}-${id}`));
      p50s.push(median(waits));
      p99s.push(quantile(waits, 0.99));
    }
    for (const { end } of instances) end();
    rows.push({
      name: handlers.name,
      generations: Math.max(...generations),
      p50Ms: median(p50s),
      p99Ms: median(p99s),
    });
  }
  return { page, instances: INSTANCES, requests: REQUESTS, originMs: ORIGIN_MS, contenders: rows };
}

/** How long each of the requests waits for its whole response, in milliseconds. */
async function request(instances: readonly HttpContender[], path: string): Promise<number[]> {
  const ports = instances.flatMap(({ port }) => Array.from({ length: REQUESTS }, () => port));
  return Promise.all(
    ports.map(async (port) => {
      const beganMs = performance.now();
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${path} answered ${response.status}`);
      return performance.now() - beganMs;
    }),
  );
}

/** What pages load: each answer takes so many milliseconds, and has the number of its call. */
export async function startOrigin(
  takesMs: number,
): Promise<AsyncDisposable & { url: string; calls(name: string): number }> {
  const calls = new Map<string, number>();
  const server = createServer((incoming, response) => {
    const name = (incoming.url ?? "").slice(1);
    const generation = (calls.get(name) ?? 0) + 1;
    calls.set(name, generation);
    setTimeout(() => response.end(JSON.stringify({ generation })), takesMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    calls: (name) => calls.get(name) ?? 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
