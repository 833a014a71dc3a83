import { count } from "./harness/table.ts";
/** Calls per second of the baseline, and the ratio of each contender to it. */
export function basicTable({ cases }) {
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
export function loadTable({ cases }) {
    return {
        columns: ["program", "import, ms", "process beyond an empty one, ms"],
        rows: cases.map(({ name, importMs, processMs }) => [name, importMs.toFixed(1), processMs.toFixed(1)]),
    };
}
export function herdTable({ cases }) {
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
