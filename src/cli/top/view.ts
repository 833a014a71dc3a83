import type { FleetLive, HotName } from "../../inspect/live.js";
import { type Column, fields, isNarrow, tableRow } from "../terminal/layout.js";
import type { Output } from "../terminal/output.js";
import { printable } from "../terminal/printable.js";
import { bytes, counted, duration, number, percent } from "../terminal/units.js";
import { cut, wrap } from "../terminal/width.js";
import type { TopSample } from "./sampler.js";
import type { ServerSample } from "./server-sample.js";

/** How many rows a list has. */
const ROWS = 8;

/** The lines that show a sample, for a terminal. `place` says which cache and server it is. */
export function viewLines(sample: TopSample, place: string, out: Output): string[] {
  const { style, columns } = out;
  const time = new Date(sample.atMs).toTimeString().slice(0, 8);
  return [
    ...wrap(`${place}  ${time}`, columns).map(style.bold),
    ...(sample.error === undefined ? [] : wrap(printable(sample.error), columns).map(style.red)),
    ...(sample.server ? ["", ...serverLines(sample.server, out)] : []),
    "",
    ...fleetLines(sample, out),
  ];
}

function serverLines(server: ServerSample, out: Output): string[] {
  const { rates } = server;
  const limit = server.maxMemoryBytes > 0 ? ` of ${bytes(server.maxMemoryBytes)}` : ", no limit";
  const hits = rates ? rates.hits : 0;
  const lookups = rates ? rates.hits + rates.misses : 0;
  const rows: [string, string][] = [
    [
      "commands",
      rates ? `${number(rates.commands)}/s; in ${bytes(rates.inBytes)}/s, out ${bytes(rates.outBytes)}/s` : "…",
    ],
    ["lookups", rates ? `${percent(hits, lookups)} hits (${number(hits)}/s), misses ${number(rates.misses)}/s` : "…"],
    ["memory", `${bytes(server.memoryBytes)}${limit}, ${server.policy ?? "policy unknown"}`],
    [
      "keys",
      `${number(server.keys)}; expired ${number(rates?.expired ?? 0)}/s, evicted ${number(rates?.evicted ?? 0)}/s`,
    ],
    ["clients", clientsText(server)],
  ];
  return [
    out.style.bold(cut(`SERVER, all its clients${server.version ? ` (${server.version})` : ""}`, out.columns)),
    ...fields(
      rows.map(([label, text]) => [label, { text }] as const),
      out,
    ),
  ];
}

function clientsText({ clients, libraryClients, trackingClients, blockedClients }: ServerSample): string {
  const own = libraryClients === undefined ? "" : `, ${number(libraryClients)} of this library`;
  return `${number(clients)}${own}; near caches listen by ${counted(trackingClients, "connection")}${blockedClients > 0 ? `; ${number(blockedClients)} blocked` : ""}`;
}

function fleetLines({ fleet, seenLeases }: TopSample, out: Output): string[] {
  const { style, columns } = out;
  if (!fleet || fleet.processes.length === 0) {
    const text = "No process reports: those that mount inspector() or call reportStatistics() do.";
    return [style.bold("CACHE"), ...wrap(text, columns), ...(seenLeases ? leasesSeen(seenLeases, out) : [])];
  }
  return [
    style.bold(cut(`CACHE, as ${counted(fleet.processes.length, "process reports", "processes report")}`, columns)),
    ...countLines(fleet, out),
    "",
    ...processLines(fleet, out),
    ...leaseLines(fleet, out),
    ...hotLines("SLOWEST KEYS", fleet.slowestKeys, out),
    ...hotLines("HOTTEST KEYS", fleet.hottestKeys, out),
  ];
}

function leasesSeen({ keys, scanned }: NonNullable<TopSample["seenLeases"]>, { style, columns }: Output): string[] {
  return [
    ...wrap(`leases on missing entries: ${number(keys.length)} among ${counted(scanned, "key")} looked at`, columns),
    ...keys.slice(0, ROWS).flatMap((key) => wrap(`  ${printable(key)}`, columns).map(style.cyan)),
  ];
}

function countLines({ now }: FleetLive, out: Output): string[] {
  const answered = now.hits + now.stale;
  const rows: [string, string][] = [
    [
      "calls",
      `${number(now.calls)}/s; ${percent(answered, answered + now.misses)} hits, of them ${number(now.nearHits)}/s by near caches`,
    ],
    ["misses", `${number(now.misses)}/s; stale answers ${number(now.stale)}/s`],
    [
      "loads",
      `${number(now.loads)}/s, failed ${number(now.failedLoads)}/s; saved ${duration(now.savedMs)} of loading a second`,
    ],
    [
      "waits",
      `${number(now.waits)}/s; now ${counted(now.waiters, "waiter")}, ${counted(now.leasesHeld, "lease")} held`,
    ],
    ["HTTP", `${number(now.requests)}/s, ${percent(now.requestHits, now.requests)} hits`],
    ["errors", `${number(now.errors)}/s; round trips ${number(now.roundTrips)}/s`],
  ];
  return fields(
    rows.filter(([label]) => label !== "HTTP" || now.requests > 0).map(([label, text]) => [label, { text }] as const),
    out,
  );
}

const PROCESS: readonly Column[] = [
  { title: "CALLS/S", width: 8, align: "right" },
  { title: "HITS", width: 8, align: "right" },
  { title: "LOADS/S", width: 7, align: "right" },
  { title: "BREAKER", width: 9 },
  { title: "NEAR", width: 8, align: "right" },
];

function processLines({ processes }: FleetLive, out: Output): string[] {
  const rows = processes.slice(0, ROWS).map(({ id, host, now, breaker, nearEntries }) => {
    const answered = now.hits + now.stale;
    const near = nearEntries === undefined ? "-" : number(nearEntries);
    const name = printable(`${host} ${id}`);
    return [number(now.calls), percent(answered, answered + now.misses), number(now.loads), breaker, near, name];
  });
  return [...table(PROCESS, "PROCESS", rows, out), ""];
}

const HOT: readonly Column[] = [
  { title: "CALLS", width: 8, align: "right" },
  { title: "LOADS", width: 7, align: "right" },
  { title: "MEAN", width: 8, align: "right" },
  { title: "MAX", width: 8, align: "right" },
];

function hotLines(title: string, names: readonly HotName[], out: Output): string[] {
  if (names.length === 0) return [];
  const rows = names
    .slice(0, ROWS)
    .map(({ name, calls, loads, meanMs, maxMs }) => [
      number(calls),
      number(loads),
      loads > 0 ? duration(meanMs) : "-",
      loads > 0 ? duration(maxMs) : "-",
      printable(name),
    ]);
  return [...table(HOT, title, rows, out), ""];
}

function leaseLines({ leases }: FleetLive, out: Output): string[] {
  if (leases.length === 0) return [];
  const rows = leases
    .slice(0, ROWS)
    .map(({ key, sinceMs, process }) => [
      duration(Math.max(0, Date.now() - sinceMs)),
      printable(key),
      printable(process),
    ]);
  const columns: readonly Column[] = [{ title: "HELD FOR", width: 8, align: "right" }];
  return [
    ...table(
      columns,
      "LEASE",
      rows.map(([held = "", key = "", by = ""]) => [held, `${key}  (${by})`]),
      out,
    ),
    "",
  ];
}

/** A table whose last column has the names, cut to one line each; on a narrow terminal a line of figures below each name. */
function table(columns: readonly Column[], title: string, rows: readonly string[][], out: Output): string[] {
  const { style } = out;
  const taken = columns.reduce((sum, { width }) => sum + width + 2, 0);
  const line = (cells: readonly string[]): string[] =>
    tableRow(
      columns,
      [...cells.slice(0, -1), cut(cells.at(-1) ?? "", Math.max(10, out.columns - taken))].map((text) => ({ text })),
      out.columns,
    );
  if (!isNarrow(out))
    return [...line([...columns.map((column) => column.title), title]).map(style.bold), ...rows.flatMap(line)];
  return [
    style.bold(title),
    ...rows.flatMap((cells) => [
      cut(cells.at(-1) ?? "", out.columns),
      ...wrap(columns.map((column, i) => `${column.title.toLowerCase()} ${cells[i]}`).join(", "), out.columns - 2).map(
        (text) => `  ${style.dim(text)}`,
      ),
    ]),
  ];
}

/** A sample in one line, for logs. */
export function sampleLine({ atMs, server, fleet, seenLeases, error }: TopSample): string {
  const rates = server?.rates;
  const parts = [
    new Date(atMs).toISOString(),
    ...(server
      ? [
          ...(rates
            ? [
                `commands ${number(rates.commands)}/s`,
                `lookups ${percent(rates.hits, rates.hits + rates.misses)} hits`,
                `evicted ${number(rates.evicted)}/s`,
              ]
            : []),
          `memory ${bytes(server.memoryBytes)}`,
          `keys ${number(server.keys)}`,
          `clients ${number(server.clients)}`,
          `tracking ${number(server.trackingClients)}`,
        ]
      : []),
    ...(fleet && fleet.processes.length > 0
      ? [
          counted(fleet.processes.length, "process", "processes"),
          `calls ${number(fleet.now.calls)}/s`,
          `hits ${percent(fleet.now.hits + fleet.now.stale, fleet.now.hits + fleet.now.stale + fleet.now.misses)}`,
          `loads ${number(fleet.now.loads)}/s`,
          `waits ${number(fleet.now.waits)}/s`,
          `leases ${number(fleet.now.leasesHeld)}`,
        ]
      : seenLeases
        ? [`leases ${number(seenLeases.keys.length)} of ${counted(seenLeases.scanned, "key")}`]
        : []),
    ...(error === undefined ? [] : [`error: ${printable(error)}`]),
  ];
  return parts.join("  ");
}
