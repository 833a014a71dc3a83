import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../harness/statistics.ts";
import { request, SlowServers, type Version } from "./slow-servers.ts";

/** Many clients at once on a URL that is not stored. */
export interface Scenario {
  readonly name: string;
  readonly path: string;
  readonly processes: number;
  /** Of each process. */
  readonly clients: number;
}

export interface WaitingCase extends Omit<Scenario, "path"> {
  readonly contenders: readonly ({ readonly name: string } & Waits)[];
}

interface Waits {
  /** In all processes: the maximum of all rounds. The times are medians of all rounds. */
  readonly handlerRuns: number;
  /** Time until the median client has the whole response, in milliseconds. */
  readonly medianMs: number;
  /** Time until the last client has it, in milliseconds. */
  readonly slowestMs: number;
  /** From the first response to that of the median of the other clients, in milliseconds. */
  readonly afterFirstMs: number;
}

export const scenarios: readonly Scenario[] = [
  { name: "revalidation", path: "/revalidated", processes: 1, clients: 40 },
  { name: "stale on arrival", path: "/stale-on-arrival", processes: 1, clients: 40 },
  { name: "fleet", path: "/fresh", processes: 8, clients: 50 },
];

/** A handler that starts in the background is counted, too. */
const SETTLE_MS = 300;
let urls = 0;

/** Measures all contenders in each round, in alternating order, and each in processes of its own. */
export async function measureWaiting(
  { path, ...scenario }: Scenario,
  versions: readonly Version[],
  rounds: number,
): Promise<WaitingCase> {
  const seen = new Map<string, Waits[]>(versions.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const version of round % 2 === 0 ? versions : versions.toReversed()) {
      seen.get(version.name)?.push(await once({ path, ...scenario }, version));
    }
  }
  const contenders = [...seen].map(([name, own]) => ({
    name,
    handlerRuns: Math.max(...own.map(({ handlerRuns }) => handlerRuns)),
    medianMs: median(own.map(({ medianMs }) => medianMs)),
    slowestMs: median(own.map(({ slowestMs }) => slowestMs)),
    afterFirstMs: median(own.map(({ afterFirstMs }) => afterFirstMs)),
  }));
  return { ...scenario, contenders };
}

async function once({ path, processes, clients }: Scenario, version: Version): Promise<Waits> {
  await using servers = await SlowServers.launch(processes, version);
  const agent = new Agent({ keepAlive: true });
  try {
    // Opens all connections, and compiles the code.
    await visit(servers, `/ready/${++urls}`, clients, agent);
    const waits = (await visit(servers, `${path}/${++urls}`, clients, agent)).sort((a, b) => a - b);
    await sleep(SETTLE_MS);
    const measured = await servers.measured();
    const [first = Number.NaN, ...others] = waits;
    return {
      handlerRuns: measured.reduce((sum, { handlerRuns }) => sum + handlerRuns, 0),
      medianMs: median(waits),
      slowestMs: Math.max(...waits),
      afterFirstMs: median(others) - first,
    };
  } finally {
    agent.destroy();
  }
}

/** Each client requests the URL once. @returns how long each took, in milliseconds */
function visit({ addresses }: SlowServers, path: string, clients: number, agent: Agent): Promise<number[]> {
  const startMs = performance.now();
  const client = async (i: number): Promise<number> => {
    const address = addresses[i % addresses.length];
    if (!address) throw new Error("there is no server process");
    for await (const _chunk of await request(address, path, agent));
    return performance.now() - startMs;
  };
  return Promise.all(Array.from({ length: clients * addresses.length }, (_client, i) => client(i)));
}
