import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../harness/statistics.ts";
import { type Load, load } from "./load.ts";
import type { HttpContender } from "./program.ts";

export interface HttpCase {
  /** Of the body, in KB. */
  readonly kilobytes: number;
  readonly contenders: readonly {
    readonly name: string;
    readonly perSecond: number;
    readonly p99Ms: number;
    /** Its requests per second by those of the handler in the same round: the median. */
    readonly ratio: number;
    /** Its requests per second by those of its fastest peer in the same round: the median. Absent without peers. */
    readonly byPeer?: number;
  }[];
}

export interface HitSampling {
  readonly rounds: number;
  /** How long each contender is requested in each round. */
  readonly sliceMs: number;
  /** Names of the contenders that this one is compared with, besides the baseline. @default none */
  readonly peersOf?: (name: string) => readonly string[];
}

const CONNECTIONS = 50;

/**
 * Measures all contenders in each round, in alternating order, so that other work on the machine affects all alike.
 * @param contenders the first is the baseline
 */
export async function measureHits(
  kilobytes: number,
  contenders: readonly HttpContender[],
  { rounds, sliceMs, peersOf }: HitSampling,
): Promise<HttpCase> {
  const path = `/${kilobytes}`;
  const slices = new Map<string, Load[]>(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) await warm(contender, path, sliceMs);
  for (let round = 0; round < rounds; round++) {
    for (const { name, port } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      slices.get(name)?.push(await load(port, path, CONNECTIONS, sliceMs));
    }
  }
  const of = (name: string): readonly Load[] => slices.get(name) ?? [];
  const speed = (name: string): number => median(of(name).map(({ perSecond }) => perSecond));
  const ratio = (name: string, other: string): number =>
    median(of(name).map(({ perSecond }, round) => perSecond / (of(other)[round]?.perSecond ?? Number.NaN)));
  const rows = contenders.map(({ name }) => {
    const [fastestPeer] = peersOf?.(name).toSorted((a, b) => speed(b) - speed(a)) ?? [];
    return {
      name,
      perSecond: speed(name),
      p99Ms: median(of(name).map(({ p99Ms }) => p99Ms)),
      ratio: ratio(name, contenders[0]?.name ?? ""),
      ...(fastestPeer === undefined ? {} : { byPeer: ratio(name, fastestPeer) }),
    };
  });
  return { kilobytes, contenders: rows };
}

/** Until it is stored, and the code is compiled. */
async function warm({ port }: HttpContender, path: string, forMs: number): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await (await fetch(`http://127.0.0.1:${port}${path}`)).arrayBuffer();
    await sleep(50);
  }
  await load(port, path, CONNECTIONS, forMs);
}
