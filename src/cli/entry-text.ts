import type { EntryReport, EntryState, KeyRow, TagReport } from "../inspect/port.js";
import type { Cell } from "./terminal/layout.js";
import type { Output } from "./terminal/output.js";
import { printable } from "./terminal/printable.js";
import type { Style } from "./terminal/style.js";
import { bytes, counted, duration } from "./terminal/units.js";

/** The colour of a state. */
export function stateStyle(state: EntryState, style: Style): (text: string) => string {
  const colors: Readonly<Record<EntryState, (text: string) => string>> = {
    fresh: style.green,
    stale: style.yellow,
    ended: style.dim,
    loading: style.cyan,
    unreadable: style.red,
    none: style.dim,
  };
  return colors[state];
}

type Times = Pick<KeyRow, "state" | "freshUntilMs" | "staleUntilMs" | "expiresMs">;

/** The state of an entry with its times, as words: "fresh for 4m 12s, then stale for 1m". */
export function stateText(entry: Times, atMs: number): string {
  const { state, freshUntilMs, staleUntilMs, expiresMs } = entry;
  const deleted = typeof expiresMs === "number" ? `deleted in ${duration(expiresMs - atMs)}` : "never deleted";
  switch (state) {
    case "none":
      return "no entry";
    case "fresh": {
      const until = freshUntilMs ?? null;
      if (until === null)
        return typeof expiresMs === "number" ? `fresh for ${duration(expiresMs - atMs)}` : "fresh, never expires";
      const graceMs = typeof staleUntilMs === "number" ? staleUntilMs - until : 0;
      const then = staleUntilMs === null ? ", then stale" : graceMs > 0 ? `, then stale for ${duration(graceMs)}` : "";
      return `fresh for ${duration(until - atMs)}${then}`;
    }
    case "stale": {
      // A soft expiry is stored in whole seconds, so it may be ahead of the server's time.
      const sinceMs = typeof freshUntilMs === "number" ? atMs - freshUntilMs : 0;
      const since = sinceMs > 0 ? ` since ${duration(sinceMs)}` : "";
      const left = typeof staleUntilMs === "number" ? `, still answered for ${duration(staleUntilMs - atMs)}` : "";
      return `stale${since}${left}`;
    }
    case "ended":
      return `ended: stored and not answered; ${deleted}`;
    case "loading":
      return `loading: a caller holds the lease, and there is no value yet; ${deleted}`;
    case "unreadable":
      return `unreadable: it can't be decoded; ${deleted}`;
  }
}

/** For how long an entry stays what it is, as a column has it: fresh, then stale, and else stored. */
export function leftText({ state, freshUntilMs, staleUntilMs, expiresMs }: Times, atMs: number): string {
  const ofState = state === "fresh" ? freshUntilMs : state === "stale" ? staleUntilMs : undefined;
  const until = ofState ?? expiresMs;
  if (until === undefined) return "-";
  return until === null ? "never" : duration(Math.max(0, until - atMs));
}

/** A size: bytes of a value, or how many members a collection has. */
export function sizeText({ kind, size }: Pick<KeyRow, "kind" | "size">): string {
  if (kind === "set") return counted(size, "member");
  if (kind === "hash") return counted(size, "field");
  return bytes(size);
}

/** A key for people: the names of its namespaces before it, and its version where that is not the cache's. */
export function keyText(row: Pick<KeyRow, "key" | "storedKey" | "namespaces" | "version">, version?: number): string {
  // The purge log has an empty key.
  if (row.key === undefined || row.key === "") return printable(row.storedKey);
  const place = row.namespaces.map((name) => `[${printable(name)}] `).join("");
  const other = version !== undefined && row.version !== undefined && row.version !== version;
  return `${place}${printable(row.key)}${other ? ` (version ${row.version})` : ""}`;
}

/** The label that entries of a namespace have, by its text: it is shown where a purge has ended them. */
const OF_NAMESPACE = /^(?:ns\([^()]*\):)+$/;

function shownTags(tags: readonly TagReport[]): readonly TagReport[] {
  return tags.filter(({ tag, purged }) => purged !== "no" || tag === undefined || !OF_NAMESPACE.test(tag));
}

/** Tags by their names, or by their labels where the names are not known. */
export function tagsText(tags: readonly TagReport[]): string {
  return shownTags(tags)
    .map(({ label, tag, purged }) => {
      const name = tag === undefined ? `#${label}` : printable(tag);
      return purged === "no" ? name : `${name} (purged${purged === "soft" ? ", soft" : ""})`;
    })
    .join(", ");
}

/** The fields of an entry, without its value. */
export function entryFields(entry: EntryReport, { style }: Pick<Output, "style">): (readonly [string, Cell])[] {
  const { atMs, value, lease } = entry;
  const since = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : duration(ms));
  const memory = entry.memoryBytes === undefined ? "" : `, ${bytes(entry.memoryBytes)} of memory`;
  const rows: (readonly [label: string, text: string | undefined, style?: (text: string) => string])[] = [
    ["state", stateText(entry, atMs), stateStyle(entry.state, style)],
    ["stored as", printable(entry.storedKey)],
    [
      "kind",
      entry.kind === "value" && entry.type === "string" ? undefined : `${entry.kind} (type ${printable(entry.type)})`,
    ],
    ["namespace", entry.namespaces.length > 0 ? entry.namespaces.map(printable).join(" > ") : undefined],
    ["size", entry.state === "none" ? undefined : `${sizeText(entry)}${memory}`],
    ["deleted", typeof entry.expiresMs === "number" ? `in ${duration(entry.expiresMs - atMs)}` : undefined],
    ["stored", entry.storedMs === undefined ? undefined : `${duration(atMs - entry.storedMs)} ago`],
    ["idle", since(entry.idleMs)],
    ["load took", entry.deltaMs > 0 ? duration(entry.deltaMs) : undefined],
    ["lease", lease && leaseText(lease, atMs), style.cyan],
    ["tags", tagsText(entry.tags)],
    ["codec", value && `${printable(value.codec)}${value.isOwnCodec ? "" : ", not this cache's own"}`],
    ["error", value?.error && printable(value.error), style.red],
  ];
  return rows.flatMap(([label, text, color]) => (text ? [[label, { text, style: color }] as const] : []));
}

function leaseText({ holder, untilMs }: NonNullable<EntryReport["lease"]>, atMs: number): string {
  if (holder === undefined)
    return `none; after a failed load the next one may begin in ${duration(Math.max(0, untilMs - atMs))}`;
  const left = untilMs - atMs;
  return left > 0
    ? `held by ${printable(holder)} for ${duration(left)}, unless it is renewed`
    : `of ${printable(holder)}, which has ended ${duration(-left)} ago`;
}
