import { ReplyError } from "../../core/errors.js";
import { systemClock } from "../../core/time.js";
import type { Check } from "./check.js";
import { duration, note, ok, problem, Skip, warning } from "./finding.js";
import { type Subject, textOf } from "./subject.js";

const ROUND_TRIPS = 15;
/** A median above this share of `commandTimeout` leaves too little for the slow ones. */
const MEDIAN_SHARE = 0.2;
const SLOWEST_SHARE = 0.5;

/** How long round trips take, against the time that they may take. */
export const latency: Check = {
  name: "latency",
  needsServer: true,
  async run(subject) {
    const times: number[] = [];
    for (let i = 0; i < ROUND_TRIPS; i++) {
      const startMs = performance.now();
      await subject.send([["PING"]]);
      times.push(performance.now() - startMs);
    }
    times.sort((one, other) => one - other);
    const [median = 0, slowest = 0] = [times[Math.floor(times.length / 2)], times.at(-1)];
    const limitMs = subject.commandTimeoutMs;
    const found = `${duration(median)} in the median, ${duration(slowest)} at most, of ${ROUND_TRIPS} round trips; commandTimeout is ${duration(limitMs)}${await slowLog(subject)}`;
    if (median > MEDIAN_SHARE * limitMs || slowest > SLOWEST_SHARE * limitMs) {
      return [
        warning(
          found,
          "Round trips come near commandTimeout: some fail with TimeoutError, and the circuit breaker may open.",
          'move the application nearer to the server, raise commandTimeout, or look for slow commands with "SLOWLOG GET 10"',
        ),
      ];
    }
    return [ok(found, "Calls end well within their deadline.")];
  },
};

async function slowLog(subject: Subject): Promise<string> {
  if (subject.hangsUp) return "";
  const [length = null] = await subject.askAll([["SLOWLOG", "LEN"]]);
  return typeof length === "number" && length > 0 ? `; the slow log has ${length} commands` : "";
}

const TIMERS = 10;
const TIMER_MS = 2;
/** Timers of a process at rest are late by a millisecond or two. */
const LATE_MS = 30;

/** Whether this process itself is slow. */
export const eventLoop: Check = {
  name: "event-loop",
  needsServer: false,
  async run() {
    let latest = 0;
    for (let i = 0; i < TIMERS; i++) {
      const startMs = performance.now();
      await systemClock.sleep(TIMER_MS);
      latest = Math.max(latest, performance.now() - startMs - TIMER_MS);
    }
    const found = `timers are late by ${duration(Math.max(0, latest))} at most, of ${TIMERS}`;
    if (latest > LATE_MS) {
      return [
        warning(
          found,
          "This process is busy, or has too little of a processor: replies wait to be read, and round trips look slow.",
          "move long computations to worker threads, or give the process more of a processor",
        ),
      ];
    }
    return [ok(found, "This process reads replies at once.")];
  },
};

const CLOCK_ASKS = 5;
/** A smaller difference has no effect that can be noticed. */
const EXACT_MS = 100;
const WRONG_MS = 1_000;

/** How far this process's clock and the server's are apart. */
export const clock: Check = {
  name: "clock",
  needsServer: true,
  async run(subject) {
    const [aheadMs, halfMs] = await difference(subject);
    // As much is certain.
    const apartMs = Math.max(0, Math.abs(aheadMs) - halfMs);
    const side = aheadMs > 0 ? "ahead of" : "behind";
    const found =
      apartMs < EXACT_MS
        ? `this process and the server differ by ${duration(Math.max(apartMs, halfMs))} at most`
        : `the server's clock is ${duration(Math.abs(aheadMs))} ${side} this process's`;
    const { ttlMs } = subject.settings;
    if (apartMs < EXACT_MS) return [ok(found, "Freshness and expiry mean the same to both.")];
    const meaning =
      subject.clientKind === "herd"
        ? `A value that one process has stored counts as fresh for up to ${duration(apartMs)} more or less in another one. Leases and locks use the server's clock alone.`
        : "expireAt, scripts and the HTTP cache's ages are off by as much. Lifetimes use the server's clock alone.";
    const remedy = "synchronise the clocks of both machines by NTP or chrony";
    if (apartMs < WRONG_MS) return [note(found, meaning, remedy)];
    const isLong = ttlMs !== null && apartMs > ttlMs / 2;
    const diagnose = isLong && subject.clientKind === "herd" ? problem : warning;
    return [diagnose(found, meaning, remedy)];
  },
};

/** The server's time less this process's, and half of the round trip, by which it may be wrong: of the shortest round trip. */
async function difference(subject: Subject): Promise<readonly [aheadMs: number, halfMs: number]> {
  let best: readonly [number, number] | undefined;
  for (let i = 0; i < CLOCK_ASKS; i++) {
    const startMs = performance.now();
    const sentMs = Date.now();
    const reply = await subject.ask(["TIME"]);
    const halfMs = (performance.now() - startMs) / 2;
    if (!Array.isArray(reply)) throw new Skip("TIME has no time");
    const [seconds = null, micros = null] = reply;
    if (seconds instanceof ReplyError) throw new Skip(`TIME fails: ${seconds.message}`);
    const serverMs = Number(textOf(seconds)) * 1_000 + Number(textOf(micros)) / 1_000;
    if (!Number.isFinite(serverMs)) throw new Skip("TIME has no time");
    if (!best || halfMs < best[1]) best = [serverMs - (sentMs + halfMs), halfMs];
  }
  return best ?? [0, 0];
}
