import { casesOf } from "./harness/results.ts";
import type { Table } from "./harness/table.ts";
import type { HerdCase } from "./herd.ts";
import type { HostCase } from "./http-hosts.ts";
import type { HitCase } from "./near/hits.ts";
import type { GridCase } from "./stores/grid.ts";
import type { Result } from "./tables.ts";

/** Of the libraries with several configurations, the one that stops callers the least. */
const LIBRARIES: Readonly<Record<string, string>> = {
  "valkey-edge-cache, herd()": "valkey-edge-cache",
  "bentocache, grace": "bentocache",
  "cachified, staleWhileRevalidate": "cachified",
  "async-cache-dedupe, stale": "async-cache-dedupe",
  "cache-manager, refreshThreshold": "cache-manager",
  keyv: "keyv",
  unstorage: "unstorage",
};

/** How often each library loads: the short form of `herdTable`. */
export function loadsTable({ cases }: Result<HerdCase>): Table {
  const rows = Object.entries(LIBRARIES).flatMap(([name, library]) => {
    const found = cases.find((one) => one.name === name);
    return found ? [[library, String(found.cold.loads), String(found.expiring.loads)]] : [];
  });
  return { columns: ["library", "loads after a cold start", "loads while the value expires four times"], rows };
}

/** One row for each subject, from the results of several benches. */
export async function speedTable(): Promise<Table> {
  const grids = { glide: await casesOf<GridCase>("basic"), iovalkey: await casesOf<GridCase>("basic", "iovalkey") };
  const near = await casesOf<HitCase>("near");
  const grid = (transport: keyof typeof grids, callers: number) =>
    grids[transport].find((one) => one.operation === "get" && one.size === "1 KB" && one.callers === callers);
  const hits = (operation: string, callers: number) =>
    near.find((one) => one.operation === operation && one.callers === callers);
  const hosts = await casesOf<HostCase>("http-hosts");
  const host = hosts.find((one) => one.host === "Hono" && one.kilobytes === 1);
  const row = (what: string, baseline: string, one: Compared | undefined, many: Compared | undefined, name: string) => [
    what,
    baseline,
    ratio(one, name),
    ratio(many, name),
  ];
  return {
    columns: ["operation", "compared with", "one caller", "50 callers"],
    rows: [
      row("`get`, 1 KB", "plain valkey-glide", grid("glide", 1), grid("glide", 50), "valkey-edge-cache"),
      row(
        "`get`, 1 KB, over `iovalkey()`",
        "plain iovalkey",
        grid("iovalkey", 1),
        grid("iovalkey", 50),
        "valkey-edge-cache, iovalkey()",
      ),
      row(
        "`get`, near cache, a copy for each caller",
        "an LRU with `JSON.parse`",
        hits("get, copies", 1),
        hits("get, copies", 50),
        "near cache, copy",
      ),
      row(
        "`get`, near cache, one shared value",
        "bentocache's memory level, by reference",
        hits("get, shared", 1),
        hits("get, shared", 50),
        "near cache, shared",
      ),
      row("HTTP hit in Hono, 1 KB", "the handler without a cache", undefined, host, "httpCache"),
      row("the same, with a near cache", "the handler without a cache", undefined, host, "httpCache, near cache"),
    ],
  };
}

interface Compared {
  readonly contenders: readonly { readonly name: string; readonly ratio: number }[];
}

function ratio(measured: Compared | undefined, name: string): string {
  return measured?.contenders.find((one) => one.name === name)?.ratio.toFixed(2) ?? "–";
}
