import { type Comparison, type Contender, compare, type Sampling } from "../../harness/measure.ts";
import { callerNames, type OpenCall } from "./call.ts";

export interface OutgoingCase {
  /** Of the body, in KB. */
  readonly kilobytes: number;
  readonly callers: number;
  /** The first is the baseline. */
  readonly contenders: readonly Comparison[];
}

const CALLERS = 50;
/** Calls of a caller between two turns of the event loop, which hits in memory need, and the server's replies. */
const BURST = 4;

/** Calls per second of one process whose responses are stored. */
export async function measureOutgoing(
  kilobytes: number,
  { origin, location, sampling }: { origin: string; location: string; sampling: Sampling },
): Promise<OutgoingCase> {
  const { open } = await loadCallers();
  const contenders: Contender[] = [];
  for (const name of callerNames) {
    const call = await open(name, location);
    const url = `${origin}/fresh/${kilobytes}/${encodeURIComponent(name)}`;
    contenders.push({ name, call: async () => check(await (await call(url)).arrayBuffer(), kilobytes) });
  }
  return { kilobytes, callers: CALLERS, contenders: await compare(contenders, CALLERS, { ...sampling, burst: BURST }) };
}

function check({ byteLength }: ArrayBuffer, kilobytes: number): void {
  if (byteLength !== kilobytes * 1_024) throw new Error(`a body of ${byteLength} bytes, not of ${kilobytes} KB`);
}

/** undici is a package of the benches alone, which the project's own type check does not have. */
function loadCallers(): Promise<{ readonly open: OpenCall }> {
  return import(String(new URL("callers.ts", import.meta.url)));
}
