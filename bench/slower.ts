import { callersOf, OURS } from "./charts.ts";
import type { ColdStartCase } from "./cold-start.ts";
import { casesOf } from "./harness/results.ts";
import { count, type Table } from "./harness/table.ts";
import type { HerdCase } from "./herd.ts";
import type { OutgoingCase } from "./http/outgoing/hits.ts";
import type { HostCase } from "./http-hosts.ts";
import type { HitCase } from "./near/hits.ts";
import type { GridCase } from "./stores/grid.ts";
import type { RequestCase } from "./views/requests.ts";

/** What each contender of one bench reached. */
interface Measurement {
  readonly bench: string;
  readonly what: string;
  readonly unit: string;
  readonly isLessBetter?: boolean;
  readonly contenders: readonly { readonly name: string; readonly value: number }[];
}

/**
 * Every measurement in which something else is ahead of the fastest of this library's own contenders. Of cold starts it has
 * the default transport, and of fleets `herd()`, as those are what the other contenders are alternatives to.
 */
export async function slowerTable(): Promise<Table> {
  const rows = (await measurements()).flatMap(({ bench, what, unit, isLessBetter = false, contenders }) => {
    const best = (isOurs: boolean) =>
      contenders
        .filter(({ name }) => OURS.test(name) === isOurs)
        .toSorted((a, b) => (isLessBetter ? a.value - b.value : b.value - a.value))[0];
    const [own, other] = [best(true), best(false)];
    if (!own || !other) return [];
    const ratio = isLessBetter ? other.value / own.value : own.value / other.value;
    // What rounds to 1.00 is no difference that the benches could show.
    if (ratio >= 0.995) return [];
    return [[bench, what, own.name, count(own.value), other.name, count(other.value), unit, ratio.toFixed(2)]];
  });
  return { columns: ["bench", "measured", "here", "reaches", "faster", "reaches", "unit", "ratio"], rows };
}

async function measurements(): Promise<Measurement[]> {
  const lists = await Promise.all([
    of<GridCase>("basic", (cases) => cases.filter(({ size }) => size === "1 KB").map(calls)),
    of<HitCase>("near", (cases) => cases.map(calls)),
    of<HitCase>("adapters", (cases) => cases.map(calls)),
    of<RequestCase>("views", (cases) => cases.map(requests), "requests"),
    of<HostCase>("http-hosts", (cases) =>
      cases.map(({ host, kilobytes, contenders }) => ({
        what: `${host}, ${kilobytes} KB`,
        unit: "requests/s",
        contenders: rates(contenders),
      })),
    ),
    of<OutgoingCase>("http-fetch", (cases) =>
      cases.map(({ kilobytes, contenders }) => ({
        what: `${kilobytes} KB`,
        unit: "calls/s",
        contenders: rates(contenders),
      })),
    ),
    of<ColdStartCase>("cold-start", (all) => {
      const cases = all.filter(({ name }) => name !== "valkey-edge-cache, iovalkey()");
      return [
        less("answers a request", "ms", cases, ({ request }) => request.processMs),
        less("prints an entry", "ms", cases, ({ entry }) => entry.processMs),
      ];
    }),
    of<HerdCase>("herd", (all) => {
      const cases = all.filter(({ name }) => name !== "valkey-edge-cache, defaultClient()");
      return [
        less("cold, p50", "ms", cases, ({ cold }) => cold.p50Ms),
        less("cold, commands", "commands", cases, ({ cold }) => cold.commands),
        less("expiring, p99", "ms", cases, ({ expiring }) => expiring.p99Ms),
        less("expiring, commands", "commands", cases, ({ expiring }) => expiring.commands),
      ];
    }),
  ]);
  return lists.flat();
}

/** @param part where the result has its cases */
async function of<Case>(
  bench: string,
  measured: (cases: readonly Case[]) => Omit<Measurement, "bench">[],
  part = "cases",
): Promise<Measurement[]> {
  const cases = await casesOf<Case>(bench, part);
  return measured(cases).map((one) => ({ bench, ...one }));
}

type Rates = readonly { readonly name: string; readonly perSecond: number }[];

function rates(contenders: Rates): Measurement["contenders"] {
  return contenders.map(({ name, perSecond }) => ({ name, value: perSecond }));
}

function calls({ operation, callers, contenders }: HitCase): Omit<Measurement, "bench"> {
  return { what: `${operation}, ${callersOf(callers)}`, unit: "calls/s", contenders: rates(contenders) };
}

function requests({ reads, when, contenders }: RequestCase): Omit<Measurement, "bench"> {
  return { what: `50 reads of ${reads}, ${when}`, unit: "requests/s", contenders: rates(contenders) };
}

/** Each case is a contender, and the one with the smallest figure is ahead. */
function less<Case extends { readonly name: string }>(
  what: string,
  unit: string,
  cases: readonly Case[],
  value: (one: Case) => number,
): Omit<Measurement, "bench"> {
  return { what, unit, isLessBetter: true, contenders: cases.map((one) => ({ name: one.name, value: value(one) })) };
}
