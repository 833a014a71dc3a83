import type { EntryReport } from "../../inspect/port.js";
import { h, setText, setVar } from "./dom.js";
import { dateTime, duration } from "./format.js";

interface Moment {
  readonly name: string;
  readonly ms: number;
}

interface Span {
  readonly name: "fresh" | "stale" | "gone";
  readonly title: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** So much of the width is for what comes after the end. */
const REST = 0.12;

/** Fresh, stale, gone, and where now is between them. */
export class Timeline {
  readonly element = h("div", { class: "timeline" });
  readonly #now = h("div", { class: "timeline-now" }, h("span", {}, "now"));
  readonly #words = h("p", { class: "timeline-words" });
  readonly #entry: EntryReport;
  #startMs = 0;
  #endMs = 0;

  constructor(entry: EntryReport) {
    this.#entry = entry;
    this.element.append(this.#words);
    const spans = this.#spans();
    if (spans.length === 0) return;
    const bar = h(
      "div",
      { class: "timeline-bar", "aria-hidden": "true" },
      ...spans.map((span) => this.#spanOf(span)),
      this.#now,
    );
    this.element.append(bar, h("ul", { class: "timeline-moments" }, ...this.#moments().map(momentOf)));
  }

  /** @param nowMs the server's time */
  show(nowMs: number): void {
    setText(this.#words, words(this.#entry, nowMs));
    if (this.#endMs === this.#startMs) return;
    const place = (nowMs - this.#startMs) / (this.#endMs - this.#startMs);
    setVar(this.#now, "--at", Math.min(1, Math.max(0, place)));
  }

  #spans(): Span[] {
    const { atMs, storedMs, freshUntilMs, staleUntilMs, expiresMs, state } = this.#entry;
    if (state === "none" || state === "ended" || state === "unreadable") return [];
    const end = lastOf([freshUntilMs, staleUntilMs, expiresMs]);
    if (end === undefined) return [];
    const start = Math.min(storedMs ?? atMs, freshUntilMs ?? atMs, atMs);
    const rest = Math.max(1_000, (end - start) * REST);
    this.#startMs = start;
    this.#endMs = end + rest;
    const freshEnd = freshUntilMs ?? (freshUntilMs === null ? end : start);
    const staleEnd = staleUntilMs ?? end;
    const spans: Span[] = [
      { name: "fresh", title: "Fresh", startMs: start, endMs: freshEnd },
      { name: "stale", title: "Stale", startMs: freshEnd, endMs: Math.max(staleEnd, freshEnd) },
      { name: "gone", title: "Gone", startMs: end, endMs: this.#endMs },
    ];
    return spans.filter(({ startMs, endMs }) => endMs > startMs);
  }

  #spanOf({ name, title, startMs, endMs }: Span): HTMLElement {
    const span = h("div", { class: "timeline-span", "data-span": name }, h("span", {}, title));
    setVar(span, "--length", (endMs - startMs) / (this.#endMs - this.#startMs));
    return span;
  }

  #moments(): Moment[] {
    const { storedMs, freshUntilMs, staleUntilMs, expiresMs } = this.#entry;
    const all = [
      { name: "Stored", ms: storedMs },
      { name: "Fresh until", ms: freshUntilMs },
      { name: "Stale until", ms: staleUntilMs },
      { name: "Deleted by the server", ms: expiresMs },
    ];
    return all.flatMap(({ name, ms }) => (typeof ms === "number" ? [{ name, ms }] : []));
  }
}

function momentOf({ name, ms }: Moment): HTMLElement {
  return h("li", {}, h("span", { class: "muted" }, `${name} `), dateTime(ms));
}

function lastOf(moments: readonly (number | null | undefined)[]): number | undefined {
  const known = moments.filter((ms) => typeof ms === "number");
  return known.length === 0 ? undefined : Math.max(...known);
}

function words({ state, freshUntilMs, staleUntilMs, expiresMs, lease }: EntryReport, nowMs: number): string {
  if (state === "none") return "There is no entry.";
  if (state === "unreadable") return "It can't be decoded, so its times aren't known.";
  if (state === "loading") return `No value yet: its lease ends in ${left(lease?.untilMs, nowMs)}.`;
  if (state === "ended")
    return `A purge or the end of its grace has ended it. The server deletes it ${until(expiresMs, nowMs)}.`;
  const end = staleUntilMs ?? expiresMs;
  if (typeof freshUntilMs === "number" && nowMs >= freshUntilMs) {
    if (typeof end === "number" && nowMs >= end)
      return `It ended ${duration(nowMs - end)} ago, after it was read here.`;
    return `Stale for ${duration(nowMs - freshUntilMs)}, and answered ${typeof end === "number" ? `for ${duration(end - nowMs)} more` : "without an end"}.`;
  }
  if (state === "stale")
    return `Stale: a purge has made it so. It is answered ${typeof end === "number" ? `for ${duration(end - nowMs)} more` : "without an end"}.`;
  if (typeof freshUntilMs !== "number") return `Fresh. The server deletes it ${until(expiresMs, nowMs)}.`;
  const grace =
    typeof end === "number" && end > freshUntilMs ? `, then stale for ${duration(end - freshUntilMs)}` : ", then gone";
  return `Fresh for ${duration(freshUntilMs - nowMs)} more${grace}.`;
}

function left(ms: number | undefined, nowMs: number): string {
  return ms === undefined ? "an unknown time" : duration(ms - nowMs);
}

function until(ms: number | null | undefined, nowMs: number): string {
  if (ms === undefined) return "at a time that isn't known";
  return ms === null ? "never" : `in ${duration(ms - nowMs)}`;
}
