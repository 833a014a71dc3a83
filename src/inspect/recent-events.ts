import type { CacheEvents, EventName } from "../core/event-types.js";
import type { LiveEvent } from "./live.js";

/** How many events are kept. */
export const RECENT = 50;

interface Kept {
  atMs: number;
  name: EventName;
  event: CacheEvents[EventName];
}

/** The newest events, as they came: what a watcher shows of them is made when it asks. */
export class RecentEvents {
  /** How many there were. */
  seen = 0;
  readonly #kept: Kept[] = [];

  add(name: EventName, event: CacheEvents[EventName]): void {
    const at = this.seen++ % RECENT;
    const kept = this.#kept[at];
    const atMs = Date.now();
    if (!kept) this.#kept[at] = { atMs, name, event };
    else {
      kept.atMs = atMs;
      kept.name = name;
      kept.event = event;
    }
  }

  /** Up to so many, the newest last. */
  newest(count: number): LiveEvent[] {
    const length = Math.min(count, RECENT, this.seen);
    return Array.from({ length }, (_, i) => this.#kept[(this.seen - length + i) % RECENT]).flatMap((kept) =>
      kept ? [toLive(kept)] : [],
    );
  }
}

/** The longest texts that a watcher gets of an event. */
const LONGEST = 500;

function toLive({ atMs, name, event }: Kept): LiveEvent {
  const fields: Readonly<Record<string, unknown>> = { ...event };
  const text = (field: string): string => cut(typeof fields[field] === "string" ? fields[field] : "");
  const detail = detailOf(name, event);
  return {
    atMs,
    name,
    method: text("method"),
    key: name === "http" ? text("url") : text("key"),
    count: typeof fields.count === "number" ? fields.count : 1,
    durationMs: typeof fields.durationMs === "number" ? fields.durationMs : undefined,
    detail: detail === undefined ? undefined : cut(detail),
  };
}

function detailOf(name: EventName, event: CacheEvents[EventName]): string | undefined {
  if ("error" in event && event.error !== undefined) {
    return event.error instanceof Error ? event.error.message : String(event.error);
  }
  switch (name) {
    case "call":
      return found(event);
    case "wait":
      return "answered" in event && event.answered ? "answered" : "unanswered";
    case "load":
      return "background" in event && event.background ? "in the background" : undefined;
    case "claim":
      return "won" in event && event.won ? "won" : "lost";
    case "renew":
      return "held" in event && event.held ? "held" : "lost";
    case "http":
      return "outcome" in event ? String(event.outcome) : undefined;
    case "purge":
      return "what" in event ? `${event.by}: ${event.what.join(", ")}` : undefined;
    case "breaker":
    case "connection":
      return "state" in event ? event.state : undefined;
    default:
      return undefined;
  }
}

function found(event: CacheEvents[EventName]): string | undefined {
  if (!("hits" in event)) return undefined;
  const counts = [
    ["hit", event.hits],
    ["stale", event.stale],
    ["miss", event.misses],
  ] as const;
  const some = counts.filter(([, count]) => count > 0);
  const [only] = some;
  if (some.length === 1 && only?.[1] === 1) return only[0];
  return some.length === 0 ? undefined : some.map(([what, count]) => `${count} ${what}`).join(", ");
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
