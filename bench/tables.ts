import type { Environment } from "./harness/results.ts";
import { count, type Table } from "./harness/table.ts";
import type { HerdCase } from "./herd.ts";
import type { LoadCase } from "./load.ts";
import type { GridCase } from "./stores/grid.ts";

export interface GridResult {
  readonly environment: Environment;
  readonly cases: readonly GridCase[];
}

/** Calls per second of the baseline, and the ratio of each contender to it. */
export function gridTable({ cases }: GridResult): Table {
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

export interface LoadResult {
  readonly environment: Environment;
  readonly cases: readonly LoadCase[];
}

export function loadTable({ cases }: LoadResult): Table {
  return {
    columns: ["program", "import, ms", "process beyond an empty one, ms"],
    rows: cases.map(({ name, importMs, processMs }) => [name, importMs.toFixed(1), processMs.toFixed(1)]),
  };
}

export interface HerdResult {
  readonly environment: Environment;
  readonly cases: readonly HerdCase[];
}

export function herdTable({ cases }: HerdResult): Table {
  return {
    columns: [
      "library",
      "cold: loads",
      "p50, ms",
      "p99, ms",
      "commands",
      "expiring: loads",
      "blocked calls",
      "p50, ms",
      "p99, ms",
      "commands per call",
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
      (expiring.commands / expiring.calls).toFixed(2),
    ]),
  };
}
