import { KINDS_FOR, LABEL_LENGTH, type Reader, type Tail, type Together } from "./records.js";

/** How many records are read at once: 64 KiB at most. */
export const MAX_READ = 1_000;
/** How many records, and how many labels that were asked for, a process remembers. */
const MAX_REMEMBERED = 20_000;

/** Whether a purge applies to an entry: not at all, softly, or hard. */
export type Verdict = "good" | "soft" | "hard";

/** What a process knows of one log. */
export interface Known {
  readonly epoch: string;
  /** The last number. */
  number: number;
  /** All purges after this number are in `recent`. */
  since: number;
  /** Up to this number purges were dropped. */
  floor: number;
  /** Numbers by record, the oldest first. */
  readonly recent: Map<string, number>;
  /** The number of the last purge in `recent` of each label, of whatever kind. */
  readonly latest: Map<string, number>;
  /** Labels that were asked for. Their later purges are noted here too. */
  readonly asked: Map<string, Asked>;
  /** Purges of several labels together, by their first label. */
  together: ReadonlyMap<string, readonly Together[]>;
  /** Up to this number all of them were read, those beyond the floor of their own. */
  togetherRead: number;
  togetherFloor: number;
  /** The number of the last one that the process has heard of. */
  togetherLast: number;
}

/** An entry with tags. Reading its labels may take time. */
export interface Labelled {
  readonly labels: readonly string[];
}

export interface Asked {
  readonly byKind: Map<string, number>;
  /** The last purge, of whatever kind. */
  latest: number;
  isAnswered: boolean;
}

/** What is known of a log of which nothing was read. */
export function begun(epoch: string): Known {
  const together = { together: new Map(), togetherRead: 0, togetherFloor: 0, togetherLast: 0 };
  return { epoch, number: 0, since: 0, floor: 0, recent: new Map(), latest: new Map(), asked: new Map(), ...together };
}

/** Adds what was read. Replies may arrive out of order, so records that are already known are skipped. */
export function add(known: Known, { floor, together, purges, length, lowest }: Tail): void {
  // Purges between what was known and what was read are unknown, or were dropped. The epoch is one member more.
  const unread = Math.max(length > MAX_READ ? lowest : 0, floor);
  if (unread > known.number) {
    known.since = unread;
    known.asked.clear();
  }
  known.floor = Math.max(known.floor, floor);
  known.togetherLast = Math.max(known.togetherLast, together);
  for (const [record, number] of purges.toReversed()) {
    if (number <= known.number) continue;
    known.recent.delete(record);
    known.recent.set(record, number);
    const label = record.slice(0, LABEL_LENGTH);
    known.latest.set(label, number);
    const asked = known.asked.get(label);
    if (asked) note(asked, record.slice(LABEL_LENGTH), number);
  }
  known.number = Math.max(known.number, floor, together, purges[0]?.[1] ?? 0);
  for (const [record, number] of known.recent) {
    if (known.recent.size <= MAX_REMEMBERED) break;
    known.recent.delete(record);
    known.since = Math.max(known.since, number);
    const label = record.slice(0, LABEL_LENGTH);
    if (known.latest.get(label) === number) known.latest.delete(label);
  }
}

/** Adds all purges of several labels together. @param last the number of the last one, as it was before they were read */
export function addTogether(known: Known, all: readonly Together[], last: number, floor: number): void {
  if (last < known.togetherRead) return;
  const byLabel = new Map<string, Together[]>();
  for (const one of all) {
    const [first = ""] = one.labels;
    byLabel.set(first, [...(byLabel.get(first) ?? []), one]);
  }
  known.together = byLabel;
  known.togetherRead = last;
  known.togetherLast = Math.max(known.togetherLast, last);
  known.togetherFloor = Math.max(known.togetherFloor, floor);
}

/** What is known of an entry that was stamped with a number; `"unknown"` where more has to be asked for. */
export function judged(known: Known, entry: Labelled, number: number, reader: Reader): Verdict | "unknown" {
  // Nothing was purged since.
  if (number >= known.number) return "good";
  const kinds = KINDS_FOR[reader];
  const { labels } = entry;
  const mayBePurged = labels.some((label) => mayHavePurge(known, label, number));
  if (mayBePurged && isPurged(known, labels, number, kinds.hard)) return "hard";
  if (number < known.since && !labels.every((label) => known.asked.get(label)?.isAnswered)) return "unknown";
  const isOfSeveral = labels.length > 1;
  if (isOfSeveral && known.togetherLast > Math.max(known.togetherRead, number)) return "unknown";
  const floor = isOfSeveral ? Math.max(known.floor, known.togetherFloor) : known.floor;
  return number < floor || (mayBePurged && isPurged(known, labels, number, kinds.soft)) ? "soft" : "good";
}

/** Whether a purge of a label after a number may be known. Mostly there is none, which three lookups show. */
function mayHavePurge({ latest, asked, together }: Known, label: string, number: number): boolean {
  return Math.max(latest.get(label) ?? 0, asked.get(label)?.latest ?? 0) > number || together.has(label);
}

function isPurged(known: Known, labels: readonly string[], number: number, kinds: readonly string[]): boolean {
  return labels.some(
    (label) =>
      kinds.some((kind) => lastPurge(known, label, kind) > number) ||
      known.together
        .get(label)
        ?.some(
          (one) =>
            one.number > number && kinds.includes(one.kind) && one.labels.every((other) => labels.includes(other)),
        ) === true,
  );
}

/** The number of the last purge of a label and kind that is known; 0 without one. */
function lastPurge(known: Known, label: string, kind: string): number {
  return Math.max(known.recent.get(label + kind) ?? 0, known.asked.get(label)?.byKind.get(kind) ?? 0);
}

/** What was asked for of a label, as the most recent one. */
export function askedOf(known: Known, label: string): Asked {
  const asked = known.asked.get(label) ?? { byKind: new Map(), latest: 0, isAnswered: false };
  known.asked.delete(label);
  known.asked.set(label, asked);
  if (known.asked.size > MAX_REMEMBERED) for (const oldest of known.asked.keys()) if (known.asked.delete(oldest)) break;
  return asked;
}

export function note(asked: Asked, kind: string, number: number): void {
  if (number > (asked.byKind.get(kind) ?? 0)) asked.byKind.set(kind, number);
  asked.latest = Math.max(asked.latest, number);
}
