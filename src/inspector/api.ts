import type { FleetLive, LiveEvent, ProcessLive } from "../inspect/live.js";
import type { EntryReport, Finding, KeyRow, Progress, PurgePreview, PurgeTarget, WhyReport } from "../inspect/port.js";

export type { FleetLive, HotName, LiveCounts, LiveEvent, LiveLatency, ProcessLive } from "../inspect/live.js";

/*
 * What the inspector's page and its server exchange. Paths are relative to where the inspector is mounted:
 *
 *   GET  api/info                         Info
 *   GET  api/live                         server-sent events: one `live` a second, with a Live in JSON
 *   GET  api/keys?pattern&ns&version&tag  lines of JSON: KeysLine; the scan ends when the client leaves, and with `limit=N` after so
 *                                         many keys: browsers read a response ahead by many megabytes, so they can't slow it down
 *   GET  api/entry?key                    EntryAnswer; `key` is a stored key
 *   GET  api/health                       Finding[]
 *   POST api/preview                      lines of JSON: WorkLine; body: PurgeTarget; field X-CSRF-Token
 *   POST api/purge                        lines of JSON: WorkLine; body: PurgeRequest; field X-CSRF-Token
 *
 * An error before the first line is a response with a status of 400 or more and a Failure.
 */

export interface Failure {
  readonly error: string;
}

/** What does not change while a page is open. */
export interface Info {
  /** The version of this package. */
  readonly library: string;
  readonly prefix: string;
  readonly version: number;
  /** The server, without a password, such as `"localhost:6379/0"`; `"memory"`. */
  readonly server: string;
  readonly client: "herd" | "default" | "other";
  readonly codec: string;
  readonly hasNearCache: boolean;
  readonly mayChange: boolean;
  /** For the field X-CSRF-Token; absent where nothing may be changed. */
  readonly token: string | undefined;
  /** Of this process. */
  readonly processId: string;
}

/** One second. All counts are those of this second; rates need no division. */
export interface Live {
  readonly atMs: number;
  readonly process: ProcessLive;
  /** All processes that report, this one included; `undefined` where the store can't be reached. */
  readonly fleet: FleetLive | undefined;
  /** Events that this watcher didn't get as it reads too slowly, or as there were too many, since it is watching. */
  readonly dropped: number;
  /** The newest events of this process, at most 50. */
  readonly events: readonly LiveEvent[];
}

export type KeysLine =
  | { readonly rows: readonly KeyRow[]; readonly scanned: number; readonly total: number | undefined }
  | { readonly done: true; readonly scanned: number }
  /** The scan has ended at the limit, and there may be more keys. */
  | { readonly more: true; readonly scanned: number }
  | { readonly error: string };

export interface EntryAnswer {
  readonly entry: EntryReport;
  readonly why: WhyReport;
}

/** `soft`: makes it stale instead of ending it. `free`: deletes entries to free their memory, instead of only ending them. */
export type PurgeRequest = PurgeTarget & { readonly soft?: boolean; readonly free?: boolean };

export type WorkLine =
  | { readonly progress: Progress }
  | { readonly preview: PurgePreview }
  | { readonly done: Progress }
  | { readonly error: string };

export type HealthAnswer = readonly Finding[];
