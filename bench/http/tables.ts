import { count, type Table } from "../harness/table.ts";
import type { HostCase } from "../http-hosts.ts";
import type { ColdCase } from "../next/cold.ts";
import type { NextCase } from "../next/hits.ts";
import type { Result } from "../tables.ts";
import type { OutgoingHerdCase } from "./outgoing/herd.ts";
import type { OutgoingCase } from "./outgoing/hits.ts";
import type { GrowthCase } from "./soak/growth.ts";
import type { Memory } from "./soak/memory.ts";
import type { SlowClientsCase } from "./soak/slow-clients.ts";

/** Requests per second of hits on each host, their ratio to those of the handler alone, and to those of the fastest peer with a store of the same kind. */
export function hostTable({ cases }: Result<HostCase>): Table {
  return {
    columns: ["host", "body", "answered by", "requests/s", "ratio", "by the fastest peer", "p99, ms"],
    rows: cases.flatMap(({ host, kilobytes, contenders }) =>
      contenders.map(({ name, perSecond, ratio, byPeer, p99Ms }) => [
        host,
        `${kilobytes} KB`,
        name,
        count(perSecond),
        ratio.toFixed(2),
        byPeer === undefined ? "–" : byPeer.toFixed(2),
        p99Ms.toFixed(1),
      ]),
    ),
  };
}

/** Requests per second of cached pages of Next, and their ratio to those with Next's own handlers. */
export function nextTable({ cases }: Result<NextCase>): Table {
  return {
    columns: ["page", "KB", "cached by", "requests/s", "ratio", "middle half", "p99, ms", "CPU, µs a request"],
    rows: cases.flatMap(({ page, kilobytes, contenders }) =>
      contenders.map(({ name, perSecond, ratio, low, high, p99Ms, cpuMicros }) => [
        page,
        `${kilobytes}`,
        name,
        count(perSecond),
        ratio.toFixed(2),
        `${low.toFixed(2)}–${high.toFixed(2)}`,
        p99Ms.toFixed(1),
        count(cpuMicros),
      ]),
    ),
  };
}

/** How often a fleet of Next's instances generates one page. */
export function nextColdTable({ cases }: Result<ColdCase>): Table {
  return {
    columns: ["page", "instances × requests", "origin's time, ms", "cached by", "generations", "p50, ms", "p99, ms"],
    rows: cases.flatMap(({ page, instances, requests, originMs, contenders }) =>
      contenders.map(({ name, generations, p50Ms, p99Ms }) => [
        page,
        `${instances} × ${requests}`,
        count(originMs),
        name,
        count(generations),
        count(p50Ms),
        count(p99Ms),
      ]),
    ),
  };
}

/** Calls per second that are answered from what is stored, and the thread's time for each. */
export function outgoingTable({ cases }: Result<OutgoingCase>): Table {
  return {
    columns: ["body", "answered by", "calls/s", "ratio", "middle half", "thread, µs a call"],
    rows: cases.flatMap(({ kilobytes, contenders }) =>
      contenders.map(({ name, perSecond, ratio, low, high, threadMicros }) => [
        `${kilobytes} KB`,
        name,
        count(perSecond),
        ratio.toFixed(2),
        `${low.toFixed(2)}–${high.toFixed(2)}`,
        threadMicros.toFixed(0),
      ]),
    ),
  };
}

/** How often a fleet calls an origin for one response. */
export function outgoingHerdTable({ cases }: Result<OutgoingHerdCase>): Table {
  return {
    columns: ["processes × calls", "origin's time, ms", "sent by", "calls at the origin", "p50, ms", "p99, ms"],
    rows: cases.flatMap(({ processes, calls, originMs, contenders }) =>
      contenders.map(({ name, originCalls, p50Ms, p99Ms }) => [
        `${processes} × ${calls}`,
        count(originMs),
        name,
        count(originCalls),
        count(p50Ms),
        count(p99Ms),
      ]),
    ),
  };
}

/** Memory after garbage collections, after so many requests. */
export function growthTable({ cases }: Result<GrowthCase>): Table {
  const columns = cases[0]?.steps.map(({ requests }) => `${count(requests)}: heap, MiB`) ?? [];
  return {
    columns: ["process", ...columns.flatMap((column) => [column, "buffers, MiB"]), "RSS, MiB"],
    rows: cases.map(({ name, steps }) => [
      name,
      ...steps.flatMap(({ heapMiB, externalMiB }) => [heapMiB.toFixed(1), externalMiB.toFixed(1)]),
      count(steps.at(-1)?.rssMiB ?? Number.NaN),
    ]),
  };
}

/** Memory of a process for each slow client, and what other clients get meanwhile. */
export function slowClientsTable({ cases }: Result<SlowClientsCase>): Table {
  return {
    columns: [
      "process",
      "slow clients",
      "heap for each, KB",
      "buffers, KB",
      "RSS, KB",
      "heap after they left, MiB more",
      "other requests/s before",
      "meanwhile",
      "p99, ms",
    ],
    rows: cases.map(({ name, clients, before, meanwhile, after, ...other }) => {
      const each = (key: keyof Memory): string => (((meanwhile[key] - before[key]) * 1_024) / clients).toFixed(1);
      return [
        name,
        count(clients),
        each("heapMiB"),
        each("externalMiB"),
        each("rssMiB"),
        (after.heapMiB - before.heapMiB).toFixed(1),
        count(other.perSecondBefore),
        count(other.perSecondMeanwhile),
        other.p99MsMeanwhile.toFixed(1),
      ];
    }),
  };
}
