import type { ColdStartCase } from "./cold-start.ts";
import type { WrapCase } from "./definitions.ts";
import type { DurableObjectCase } from "./durable-object.ts";
import type { AttemptCase, FaultCase, HostileCase, SoakCase } from "./faults.ts";
import type { Environment } from "./harness/results.ts";
import { count, type Table } from "./harness/table.ts";
import type { HerdCase } from "./herd.ts";
import type { HttpCase } from "./http/hits.ts";
import type { MemoryCase } from "./http/memory.ts";
import type { WaitingCase } from "./http/waiting.ts";
import type { InspectorCase } from "./inspector.ts";
import type { LoadCase } from "./load.ts";
import type { ChangeCase } from "./near/changes.ts";
import type { HitCase } from "./near/hits.ts";
import type { ListenerCase } from "./near/listeners.ts";
import type { StallCase } from "./stalls.ts";
import type { GridCase } from "./stores/grid.ts";
import type { FloodHitCase, LogCase } from "./tags/flood.ts";
import type { PurgeCase } from "./tags/purges.ts";
import type { MakingCase } from "./views/making.ts";
import type { RequestCase } from "./views/requests.ts";

export interface Result<Case> {
  readonly environment: Environment;
  readonly cases: readonly Case[];
}

/** Calls per second of the first contender, and the ratio of each other one to it. */
export function gridTable({ cases }: Result<GridCase>): Table {
  const [baseline, ...others] = cases[0]?.contenders.map(({ name }) => name) ?? [];
  return {
    columns: ["operation", "value", "callers", `${baseline}, calls/s`, ...others],
    rows: cases.map(({ operation, size, callers, contenders: [first, ...rest] }) => [
      operation,
      size,
      String(callers),
      count(first?.perSecond ?? Number.NaN),
      ...rest.map(({ ratio }) => ratio.toFixed(2)),
    ]),
  };
}

/** As `gridTable`, with the middle half of the rounds, as the differences are small, and the thread's time for a call. */
export function observabilityTable({ cases }: Result<GridCase>): Table {
  const [baseline, ...others] = cases[0]?.contenders.map(({ name }) => name) ?? [];
  return {
    columns: ["operation", "callers", `${baseline}, calls/s`, ...others.flatMap((name) => [name, "thread, µs more"])],
    rows: cases.map(({ operation, callers, contenders: [first, ...rest] }) => [
      operation,
      String(callers),
      count(first?.perSecond ?? Number.NaN),
      ...rest.flatMap(({ ratio, low, high, threadMicros }) => [
        `${ratio.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`,
        (threadMicros - (first?.threadMicros ?? Number.NaN)).toFixed(1),
      ]),
    ]),
  };
}

/** What is measured is the whole service, so what the watcher adds is the difference to the first row. */
export function inspectorTable({ cases }: Result<InspectorCase>): Table {
  const [baseline] = cases;
  return {
    columns: ["watched by", "events/s", "processor, %", "more, %"],
    rows: cases.map(({ name, eventsPerSecond, percent, low, high }, i) => [
      name,
      count(eventsPerSecond),
      `${percent.toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`,
      i === 0 ? "" : (percent - (baseline?.percent ?? Number.NaN)).toFixed(1),
    ]),
  };
}

export function loadTable({ cases }: Result<LoadCase>): Table {
  return {
    columns: ["program", "import, ms", "process beyond an empty one, ms"],
    rows: cases.map(({ name, importMs, processMs }) => [name, importMs.toFixed(1), processMs.toFixed(1)]),
  };
}

/** How long the event loop was held up, beside how long the call took. */
export function stallTable({ cases }: Result<StallCase>): Table {
  return {
    columns: ["client", "method", "longest stall, ms", "worst of 5, ms", "call, ms"],
    rows: cases.map(({ name, method, stallMs, worstMs, totalMs }) => [
      name,
      method,
      stallMs.toFixed(0),
      worstMs.toFixed(0),
      count(totalMs),
    ]),
  };
}

export function coldStartTable({ cases }: Result<ColdStartCase>): Table {
  return {
    columns: ["program", "answers a request, ms", "ratio", "prints an entry, ms", "ratio"],
    rows: cases.map(({ name, request, entry }) => [
      name,
      ...[request, entry].flatMap(({ processMs, ratio }) => [processMs.toFixed(0), ratio.toFixed(2)]),
    ]),
  };
}

export function durableObjectTable({ cases }: Result<DurableObjectCase>): Table {
  return {
    columns: ["transport", "a Worker with", "1,000 requests, ms", "connections"],
    rows: cases.map(({ name, transport, totalMs, connections }) => [
      transport,
      name,
      count(totalMs),
      count(connections),
    ]),
  };
}

/** How many tests of the shared suites pass over a server, of those that apply. */
export interface ServerCase {
  readonly release: string;
  readonly name: string;
  readonly version: string;
  readonly counts: Readonly<Record<string, { readonly passed: number; readonly failed: readonly string[] }>>;
}

export function serverTable(cases: readonly ServerCase[]): Table {
  const suites = [...new Set(cases.flatMap(({ counts }) => Object.keys(counts)))];
  return {
    columns: ["server", "version", "from Debian", ...suites],
    rows: cases.map(({ name, version, release, counts }) => [
      name.replace("-server", ""),
      version,
      release,
      ...suites.map((suite) => {
        const { passed, failed } = counts[suite] ?? { passed: 0, failed: [""] };
        if (passed === 0) return "–";
        return failed.length === 0 ? `all ${count(passed)}` : `${count(passed)} of ${count(passed + failed.length)}`;
      }),
    ]),
  };
}

export function herdTable({ cases }: Result<HerdCase>): Table {
  return {
    columns: [
      "library",
      "cold: loads",
      "p50, ms",
      "p99, ms",
      "commands",
      "expiring: loads",
      "held up",
      "p50, ms",
      "p99, ms",
      "commands",
    ],
    rows: cases.map(({ name, cold, expiring }) => [
      name,
      count(cold.loads),
      count(cold.p50Ms),
      count(cold.p99Ms),
      count(cold.commands),
      count(expiring.loads),
      count(expiring.blocked),
      expiring.p50Ms.toFixed(1),
      expiring.p99Ms.toFixed(1),
      count(expiring.commands),
    ]),
  };
}

export function faultTable({ cases }: Result<FaultCase>): Table {
  return {
    columns: [
      "fault",
      "deadline, ms",
      "longest call, ms",
      "calls",
      "failed",
      "of getOrSet",
      "wrong answers",
      "recovery, ms",
      "heap, MiB",
      "after, MiB",
      "unhandled",
    ],
    rows: cases.map((one) => [
      one.name,
      count(one.deadlineMs),
      count(one.longestMs),
      count(one.calls),
      count(one.failed),
      count(one.getOrSetFailed),
      count(one.wrong),
      count(one.recoveryMs),
      one.heapBefore.toFixed(1),
      one.heapAfter.toFixed(1),
      count(one.unhandled),
    ]),
  };
}

/** Connections to one server address, for each transport and each cause. */
export function attemptTable({ cases }: Result<AttemptCase>): Table {
  const causes = [...new Set(cases.map(({ cause }) => cause))];
  const transports = [...new Set(cases.map(({ transport }) => transport))];
  return {
    columns: ["transport", ...causes, "after `close()`", "longest `close()`, ms", "CPU, % of a core"],
    rows: transports.map((transport) => {
      const own = cases.filter((one) => one.transport === transport);
      const of = (cause: string) => own.find((one) => one.cause === cause);
      return [
        transport,
        ...causes.map((cause) => (of(cause) ? count(of(cause)?.connections ?? Number.NaN) : "–")),
        count(own.reduce((sum, { afterClose }) => sum + afterClose, 0)),
        count(Math.max(...own.map(({ closeMs }) => closeMs))),
        Math.max(...own.map(({ cpuPercent }) => cpuPercent)).toFixed(1),
      ];
    }),
  };
}

export function soakTable({ cases }: Result<SoakCase>): Table {
  return {
    columns: [
      "minutes",
      "faults",
      "calls",
      "failed",
      "of getOrSet",
      "wrong answers",
      "longest step, ms",
      "heap after a tenth, MiB",
      "in the end, MiB",
      "connections",
      "unhandled",
    ],
    rows: cases.map((one) => [
      (one.seconds / 60).toFixed(1),
      count(one.faults),
      count(one.calls),
      count(one.failed),
      count(one.getOrSetFailed),
      count(one.wrong.length),
      count(one.longestMs),
      (one.heap[0] ?? Number.NaN).toFixed(1),
      (one.heap.at(-1) ?? Number.NaN).toFixed(1),
      count(one.connections),
      count(one.unhandled),
    ]),
  };
}

export function hostileTable({ cases }: Result<HostileCase>): Table {
  return {
    columns: [
      "inputs",
      "answered",
      "refused with an error of the library's",
      "other errors",
      "most memory outside the heap, MiB",
    ],
    rows: cases.map(({ inputs, answered, failed, mostMiB }) => [
      count(inputs),
      count(answered),
      count(failed),
      count(inputs - answered - failed),
      mostMiB.toFixed(0),
    ]),
  };
}

/** Requests per second of each contender, and their ratio to those of the first. */
export function httpTable({ cases }: Result<HttpCase>): Table {
  return {
    columns: ["body", "answered by", "requests/s", "ratio", "p99, ms"],
    rows: cases.flatMap(({ kilobytes, contenders }) =>
      contenders.map(({ name, perSecond, ratio, p99Ms }) => [
        `${kilobytes} KB`,
        name,
        count(perSecond),
        ratio.toFixed(2),
        p99Ms.toFixed(1),
      ]),
    ),
  };
}

export function httpWaitingTable({ cases }: Result<WaitingCase>): Table {
  return {
    columns: [
      "case",
      "processes × clients",
      "answered by",
      "handler runs",
      "median client, ms",
      "slowest, ms",
      "median after the first, ms",
    ],
    rows: cases.flatMap(({ name: scenario, processes, clients, contenders }) =>
      contenders.map(({ name, handlerRuns, medianMs, slowestMs, afterFirstMs }) => [
        scenario,
        `${processes} × ${clients}`,
        name,
        count(handlerRuns),
        count(medianMs),
        count(slowestMs),
        count(afterFirstMs),
      ]),
    ),
  };
}

/** The most memory of each contender's process, and its ratio to that of the first. */
export function httpMemoryTable({ cases }: Result<MemoryCase>): Table {
  return {
    columns: ["body", "answered by", "peak RSS, MiB", "ratio"],
    rows: cases.flatMap(({ body, contenders }) =>
      contenders.map(({ name, peakMiB, ratio }) => [body, name, count(peakMiB), ratio.toFixed(2)]),
    ),
  };
}

/** Calls per second of each contender, and their ratio to those of the first, with the middle half of the rounds. */
export function hitTable({ cases }: Result<HitCase>): Table {
  return {
    columns: ["operation", "callers", "answered by", "calls/s", "ratio", "middle half"],
    rows: cases.flatMap(({ operation, callers, contenders }) =>
      contenders.map(({ name, perSecond, ratio, low, high }) => [
        operation,
        String(callers),
        name,
        count(perSecond),
        ratio.toFixed(2),
        `${low.toFixed(2)}–${high.toFixed(2)}`,
      ]),
    ),
  };
}

export function wrapTable({ cases }: Result<WrapCase>): Table {
  return {
    columns: ["wrap() adds to a hit in memory, µs", "middle half"],
    rows: cases.map(({ microseconds, low, high }) => [microseconds.toFixed(2), `${low.toFixed(2)}–${high.toFixed(2)}`]),
  };
}

export function makingTable({ cases }: Result<MakingCase>): Table {
  return {
    columns: ["view", "µs to make one", "middle half"],
    rows: cases.map(({ view, microseconds, low, high }) => [
      `\`${view}\``,
      microseconds.toFixed(2),
      `${low.toFixed(2)}–${high.toFixed(2)}`,
    ]),
  };
}

export function requestTable({ cases }: Result<RequestCase>): Table {
  return {
    columns: ["50 reads of", "when", "by", "requests/s", "ratio", "middle half", "round trips", "commands"],
    rows: cases.flatMap(({ reads, when, contenders }) =>
      contenders.map(({ name, perSecond, ratio, low, high, reads: received, commands }) => [
        reads,
        when,
        name,
        count(perSecond),
        ratio.toFixed(2),
        `${low.toFixed(2)}–${high.toFixed(2)}`,
        String(received),
        String(commands),
      ]),
    ),
  };
}

export function changeTable({ cases }: Result<ChangeCase>): Table {
  return {
    columns: ["writes/s", "writes", "a round trip, ms", "p50, ms", "p99, ms"],
    rows: cases.map(({ writesPerSecond, writes, roundTripMs, p50Ms, p99Ms }) => [
      count(writesPerSecond),
      count(writes),
      roundTripMs.toFixed(2),
      p50Ms.toFixed(2),
      p99Ms.toFixed(2),
    ]),
  };
}

/** CPU time of the server for 1,000 writes, for each number of listeners. */
export function listenerTable({ cases }: Result<ListenerCase>): Table {
  const counts = [...new Set(cases.map(({ listeners }) => listeners))];
  const cpu = (listeners: number, matches: boolean): string =>
    cases.find((one) => one.listeners === listeners && one.matches === matches)?.cpuMs.toFixed(1) ?? "–";
  return {
    columns: ["listeners", "keys with their prefix, ms", "other keys, ms"],
    rows: counts.map((listeners) => [count(listeners), cpu(listeners, true), cpu(listeners, false)]),
  };
}

/** What a purge costs, by how many entries have the tag. */
export function tagPurgeTable({ cases }: Result<PurgeCase>): Table {
  return {
    columns: [
      "entries",
      "a set: p50, ms",
      "p99, ms",
      "a purge: p50, ms",
      "p99, ms",
      "ratio of p50",
      "read before",
      "after",
    ],
    rows: cases.map((one) => [
      count(one.entries),
      one.setP50Ms.toFixed(2),
      one.setP99Ms.toFixed(2),
      one.p50Ms.toFixed(2),
      one.p99Ms.toFixed(2),
      (one.p50Ms / one.setP50Ms).toFixed(2),
      count(one.answeredBefore),
      count(one.answeredAfter),
    ]),
  };
}

/** Hits before and while other tags are purged. */
export function tagFloodTable({ cases }: Result<FloodHitCase>): Table {
  return {
    columns: ["operation", "callers", "entries", "before, calls/s", "meanwhile, calls/s", "ratio"],
    rows: cases.flatMap(({ operation, callers, contenders }) =>
      contenders.map(({ name, perSecond, meanwhilePerSecond, ratio }) => [
        operation,
        String(callers),
        name,
        count(perSecond),
        count(meanwhilePerSecond),
        ratio.toFixed(2),
      ]),
    ),
  };
}

export function tagLogTable({ cases }: Result<LogCase>): Table {
  return {
    columns: [
      "purges/s",
      "seconds",
      "other entries",
      "softly stale",
      "ended",
      "log, MB",
      "full log, MB",
      "first read of a new process, bytes",
      "without tags, bytes",
    ],
    rows: cases.map((one) => [
      count(one.purgesPerSecond),
      count(one.seconds),
      count(one.entries),
      count(one.soft),
      count(one.ended),
      one.logMB.toFixed(1),
      one.fullLogMB.toFixed(1),
      count(one.newProcessBytes),
      count(one.untaggedProcessBytes),
    ]),
  };
}
