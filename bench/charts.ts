import type { ColdStartCase } from "./cold-start.ts";
import type { BarChart, BarGroup } from "./harness/bar-chart.ts";
import { casesOf } from "./harness/results.ts";
import { count } from "./harness/table.ts";
import type { HerdCase } from "./herd.ts";
import type { OutgoingCase } from "./http/outgoing/hits.ts";
import type { HostCase } from "./http-hosts.ts";
import type { HitCase } from "./near/hits.ts";
import type { GridCase } from "./stores/grid.ts";

/** The library and its parts, as the benches name them. */
export const OURS =
  /^(?:valkey-edge-cache|near cache|cache\.get|httpCache|cachedHandler|cachedFetch|a view|keyv, keyvStore|unstorage, valkeyDriver)/;

/** The charts of docs/benchmarks.md by the names of their files, each made from the results of one bench. */
export const charts: Readonly<Record<string, () => Promise<BarChart>>> = {
  "herd-loads": () =>
    made<HerdCase>("herd", (cases) => ({
      title: "A missing key, requested by 8 processes with 50 callers each",
      measure: "loads; fewer is better",
      groups: [{ name: "", bars: cases.map(({ name, cold }) => ({ name, value: cold.loads })) }],
      format: count,
    })),
  "herd-expiring": () =>
    made<HerdCase>("herd", (cases) => ({
      title: "A key that expires each second, requested for 5 seconds",
      measure: "slowest of 100 calls (p99), ms; less is better",
      groups: [{ name: "", bars: cases.map(({ name, expiring }) => ({ name, value: expiring.p99Ms })) }],
      format: (value) => value.toFixed(1),
    })),
  basic: () =>
    made<GridCase>("basic", (cases) => ({
      title: "Calls over the server, values of 1 KB",
      measure: "calls per second, as a ratio to plain valkey-glide; more is better",
      groups: cases
        .filter(({ size, operation }) => size === "1 KB" && (operation === "get" || operation === "set"))
        .map(({ operation, callers, contenders }) => ({
          name: `${operation}, ${callersOf(callers)}`,
          bars: contenders.map(({ name, ratio }) => ({ name, value: ratio })),
        })),
      format: (value) => value.toFixed(2),
    })),
  near: () =>
    made<HitCase>("near", (cases) => ({
      title: "Reads that are answered in the process, values of 1 KB",
      measure: "calls per second; more is better",
      groups: cases
        .filter(({ operation }) => operation === "get, copies" || operation === "get, shared")
        .map(({ operation, callers, contenders }) => ({
          name: `${operation}, ${callersOf(callers)}`,
          bars: perSecond(contenders),
        })),
      format: count,
    })),
  "http-hosts": () =>
    made<HostCase>("http-hosts", (cases) => ({
      title: "HTTP cache hits, bodies of 1 KB, 50 connections",
      measure: "requests per second; more is better",
      groups: cases
        .filter(({ kilobytes, host }) => kilobytes === 1 && host !== "Hono" && host !== "web handler")
        .map(({ host, contenders }) => ({ name: host, bars: perSecond(contenders) })),
      format: count,
    })),
  "http-fetch": () =>
    made<OutgoingCase>("http-fetch", (cases) => ({
      title: "Outgoing calls whose response is stored",
      measure: "calls per second; more is better",
      groups: cases.map(({ kilobytes, contenders }) => ({ name: `${kilobytes} KB`, bars: perSecond(contenders) })),
      format: count,
    })),
  "cold-start": () =>
    made<ColdStartCase>("cold-start", (cases) => ({
      title: "A fresh process that answers one request with an entry",
      measure: "ms from its start to its end; less is better",
      groups: [{ name: "", bars: cases.map(({ name, request }) => ({ name, value: request.processMs })) }],
      format: count,
    })),
};

async function made<Case>(name: string, chart: (cases: readonly Case[]) => Omit<BarChart, "ours">): Promise<BarChart> {
  return { ...chart(await casesOf<Case>(name)), ours: OURS };
}

function perSecond(contenders: readonly { readonly name: string; readonly perSecond: number }[]): BarGroup["bars"] {
  return contenders.map(({ name, perSecond: value }) => ({ name, value }));
}

export function callersOf(callers: number): string {
  return callers === 1 ? "1 caller" : `${callers} callers`;
}
