import { notify } from "../core/async.js";
import { isClosed, type Reply, type Script, type SendOptions, type Twin, type Twins } from "../core/connection.js";
import { ConnectionError, show } from "../core/errors.js";
import { randomText } from "../core/text.js";
import { type Clock, type Duration, timerMs, toMs } from "../core/time.js";
import { withdraw } from "../lease/lost-claims.js";
import { text } from "../lease/state.js";
import type { ClientContext } from "./client.js";

/*
 * The key of a lock has its fencing number, a space and its holder's token. It outlives the lock by `KEPT_MS`, so that a
 * later number is larger even where the server's clock was set back: the lock is held while more than that is left of the
 * key's lifetime. A value of another form is another program's lock.
 */
export const KEPT_MS = 600_000;

/** 96 random bits. */
const TOKEN_LENGTH = 16;

/**
 * Takes KEYS[1] for the token ARGV[1]; ARGV[2] is the key's lifetime in milliseconds. A script, as a user whose ACL allows none
 * could not release the lock. A second run for the same token has the reply of the first. Reply: the fencing number, or 0
 * when it is held.
 */
export const ACQUIRE: Script = {
  name: "acquire",
  lua: `local stored = redis.call('GET', KEYS[1])
local last, token
if stored then
  last, token = string.match(stored, '^(%d+) (.*)$')
  if not last or redis.call('PTTL', KEYS[1]) > ${KEPT_MS} then return token == ARGV[1] and tonumber(last) or 0 end
end
local time = redis.call('TIME')
local fencing = math.max((last or 0) + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[1], string.format('%.0f ', fencing) .. ARGV[1], 'PX', ARGV[2])
return fencing`,
};

const acquireTwin: Twin = (call, [key = ""], [token = "", keyMs = "0"]) => {
  const stored = call("GET", key);
  const [, last, holder] = /^(\d+) (.*)$/s.exec(text(stored)) ?? [];
  if (stored !== null && (last === undefined || Number(call("PTTL", key)) > KEPT_MS))
    return holder === text(token) ? Number(last) : 0;
  const time = call("TIME");
  const [seconds, micros] = Array.isArray(time) ? time.map((part) => Number(text(part))) : [];
  const fencing = Math.max(Number(last ?? 0) + 1, Number(seconds) * 1_000_000 + Number(micros));
  call("SET", key, `${fencing} ${text(token)}`, "PX", keyMs);
  return fencing;
};

/** Gives KEYS[1] a lifetime of ARGV[2] milliseconds while the token ARGV[1] holds it: `KEPT_MS` releases it. Reply: 1 or 0. */
export const EXTEND: Script = {
  name: "extend",
  lua: `local stored = redis.call('GET', KEYS[1])
if not stored or string.match(stored, '^%d+ (.*)$') ~= ARGV[1] then return 0 end
if redis.call('PTTL', KEYS[1]) <= ${KEPT_MS} then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
};

const extendTwin: Twin = (call, [key = ""], [token = "", keyMs = "0"]) => {
  const [, holder] = /^\d+ (.*)$/s.exec(text(call("GET", key))) ?? [];
  const isHeld = holder === text(token) && Number(call("PTTL", key)) > KEPT_MS;
  return isHeld ? call("PEXPIRE", key, keyMs) : 0;
};

/** The twins of these scripts. */
export const lockTwins: Twins = new Map([
  [ACQUIRE, acquireTwin],
  [EXTEND, extendTwin],
]);

/** Both scripts compare the token: a second run does nothing, or the same again. */
const IDEMPOTENT: SendOptions = { idempotent: true };

/** What a lock needs of its cache. */
export interface LockContext extends Pick<ClientContext, "connection" | "clock" | "invocation" | "forgive" | "report"> {
  /** Has `close` of a view wait for work. */
  track(work: Promise<unknown>): void;
}

export interface AcquireOptions {
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly retryEveryMs: number;
  /** Ends the wait, with the signal's reason. */
  readonly signal: AbortSignal | undefined;
  readonly renew: boolean;
}

/** By two clocks, in milliseconds: the monotonic one may stand still while the machine sleeps, the other may be set. */
interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

/** What the server has given to a holder. */
interface Taken {
  readonly key: string;
  readonly token: string;
  readonly fencing: number;
  readonly ttlMs: number;
  readonly ends: Moment;
  readonly renew: boolean;
}

/** How many renewals there are in a lifetime. After one that failed, the next is tried sooner. */
const RENEWALS = 3;
const RENEWALS_AFTER_FAILURE = 10;

/**
 * A lock that is held until it is released or its lifetime ends. `await using` releases it.
 * @example
 * await using lock = await cache.lock("nightly", { ttl: "1m", renew: true });
 * if (lock) await runNightlyJob({ signal: lock.signal, fencing: lock.fencing });
 */
export class Lock implements AsyncDisposable {
  /**
   * A safe integer that is larger than the number of each earlier holder: the server's time in microseconds, or the last
   * number + 1. Send it along with every write: a resource that refuses numbers below the largest it has seen is safe from
   * a holder that has lost the lock and doesn't know it yet.
   */
  readonly fencing: number;
  readonly #context: LockContext;
  readonly #taken: Taken;
  readonly #lost = new AbortController();
  /** When its lifetime is over, by whichever clock says so first. */
  #ends: Moment;
  #isRenewed: boolean;
  #isReleased = false;
  /** Extensions are sent one after another, so that the reply to the last one is about what the server did last. */
  #extending: Promise<unknown> = Promise.resolve();
  #cancelExpiry = (): void => {};
  #cancelRenewal = (): void => {};

  /** @internal Use `cache.lock`. */
  constructor(context: LockContext, taken: Taken) {
    this.#context = context;
    this.#taken = taken;
    this.#ends = taken.ends;
    this.#isRenewed = taken.renew;
    this.fencing = taken.fencing;
    this.#awaitEnd();
    if (taken.renew) this.#renewIn(taken.ttlMs / RENEWALS);
  }

  /**
   * Fires when the lock is lost: when its lifetime ends before it is released or extended, or when a renewal or `extend`
   * finds that the server has it no more for this holder. The reason is an `AbortError`. Reading this property compares
   * the clocks, so `lock.signal` has fired even where a process was frozen and its timers are still to run.
   */
  get signal(): AbortSignal {
    if (!this.#isReleased && this.#leftMs() <= 0) this.#lose("its lifetime is over");
    return this.#lost.signal;
  }

  /** Releases the lock, and ends its renewal. @returns whether it was still held */
  async release(): Promise<boolean> {
    try {
      return await this.#release();
    } catch (error) {
      return this.#forgive(error);
    }
  }

  /**
   * Extends the lock to `ttl` from now: seconds, or a duration such as `"1m"`.
   * @returns whether it was still held
   * @throws TypeError when `ttl` is not a duration above 0
   */
  async extend(ttl: Duration): Promise<boolean> {
    const ttlMs = toMs(ttl, "ttl");
    if (ttlMs <= 0)
      throw new TypeError("ttl: a lock can't be extended by nothing; give a duration above 0, or release it");
    try {
      return await this.#extend(() => ttlMs);
    } catch (error) {
      return this.#forgive(error);
    }
  }

  /**
   * Releases the lock. Never rejects, as its error would hide the one of the block; store errors go to `onError`. A release that
   * got no reply is repeated in the background.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#release();
    } catch (error) {
      this.#context.report(error, "lock", this.#taken.key);
      if (error instanceof ConnectionError) releaseLater(this.#context, this.#taken);
    }
  }

  async #release(): Promise<boolean> {
    this.#isRenewed = false;
    this.#isReleased = true;
    this.#cancelTimers();
    try {
      return (await endKeyIn(this.#context, this.#taken, KEPT_MS)) === 1;
    } catch (error) {
      this.#isReleased = false;
      this.#awaitEnd();
      throw error;
    }
  }

  /** @param ttlMs is asked when the extensions before it have ended */
  #extend(ttlMs: () => number): Promise<boolean> {
    const extending = this.#extending.then(async () => {
      if (this.#isReleased || this.signal.aborted) return false;
      const ms = Math.ceil(ttlMs());
      const ends = endOf(this.#context.clock, ms);
      // The server may end it sooner though its reply is lost.
      this.#endAt(earlier(this.#ends, ends));
      const held = (await endKeyIn(this.#context, this.#taken, ms + KEPT_MS)) === 1;
      if (held) this.#endAt(ends);
      else this.#lose("the server has it no more for this holder");
      return held;
    });
    this.#extending = extending.catch(() => {});
    return extending;
  }

  #renewIn(ms: number): void {
    this.#cancelRenewal = later(ms, () => void this.#renew());
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const { key, ttlMs } = this.#taken;
    // The lifetime of a cache, or of its view for an invocation, is that of its locks' renewals.
    if (isClosed(this.#context.connection)) return;
    let renewals = RENEWALS;
    try {
      // What `extend` has added stays.
      await this.#extend(() => Math.max(ttlMs, this.#leftMs()));
    } catch (error) {
      this.#context.report(error, "lock", key);
      renewals = RENEWALS_AFTER_FAILURE;
    }
    if (this.#isRenewed && !this.signal.aborted) this.#renewIn(ttlMs / renewals);
  }

  #endAt(ends: Moment): void {
    if (this.#lost.signal.aborted || this.#isReleased) return;
    this.#ends = ends;
    this.#cancelExpiry();
    this.#awaitEnd();
  }

  /** Has the signal fire at the end of the lifetime. */
  #awaitEnd(): void {
    if (!this.signal.aborted) this.#cancelExpiry = later(this.#leftMs(), () => this.#awaitEnd());
  }

  #leftMs(): number {
    const now = momentOf(this.#context.clock);
    return Math.min(this.#ends.monotonic - now.monotonic, this.#ends.wall - now.wall);
  }

  #lose(why: string): void {
    if (this.#isReleased) return;
    this.#cancelTimers();
    const message = `lock ${show(this.#taken.key)} was lost: ${why}; stop what it protects`;
    this.#lost.abort(new DOMException(message, "AbortError"));
  }

  #cancelTimers(): void {
    this.#cancelExpiry();
    this.#cancelRenewal();
  }

  #forgive(error: unknown): false {
    this.#context.forgive(error, "lock", this.#taken.key);
    return false;
  }
}

function momentOf(clock: Pick<Clock, "now">): Moment {
  return { monotonic: performance.now(), wall: clock.now() };
}

/**
 * When a holder takes a lifetime for ended that the server is asked for now. That is sooner than the server does, as clocks
 * run at different speeds and the server's counts whole milliseconds. The margin is Redlock's:
 * https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/
 */
function endOf(clock: Pick<Clock, "now">, ttlMs: number): Moment {
  const { monotonic, wall } = momentOf(clock);
  const ms = ttlMs - ttlMs / 100 - 2;
  return { monotonic: monotonic + ms, wall: wall + ms };
}

function earlier(one: Moment, other: Moment): Moment {
  return { monotonic: Math.min(one.monotonic, other.monotonic), wall: Math.min(one.wall, other.wall) };
}

/** Runs `work` after `ms`, or after the longest time that a timer has. No process is kept running for it. @returns cancels it */
function later(ms: number, work: () => void): () => void {
  const timer: ReturnType<typeof setTimeout> & { unref?(): void } = setTimeout(work, timerMs(ms));
  timer.unref?.();
  return () => clearTimeout(timer);
}

type Holder = Pick<Taken, "key" | "token">;

function endKeyIn({ connection }: LockContext, { key, token }: Holder, ms: number): Promise<Reply> {
  return connection.script(EXTEND, [key], [token, String(ms)], IDEMPOTENT);
}

/** Releases in the background what the server may hold for a token, as soon as it can be reached. */
function releaseLater(context: LockContext, holder: Holder): void {
  const end = (): Promise<Reply> => endKeyIn(context, holder, KEPT_MS);
  // At once, too: a view that closes waits for this attempt, and has a connection for no other.
  context.track(end().catch(() => {}));
  const waitUntil = (work: Promise<void>): void =>
    notify(context.invocation.waitUntil, (error) => context.report(error, "waitUntil", holder.key), work);
  withdraw({ ...context, waitUntil }, holder.token, end);
}

/** Takes the lock as soon as it is free; `undefined` when it is not free within `waitMs`. */
export async function acquire(
  context: LockContext,
  key: string,
  { ttlMs, waitMs, retryEveryMs, signal, renew }: AcquireOptions,
): Promise<Lock | undefined> {
  const { connection, clock } = context;
  const token = randomText(TOKEN_LENGTH);
  const untilMs = clock.now() + waitMs;
  for (;;) {
    const ends = endOf(clock, ttlMs);
    const fencing = Number(
      await connection.script(ACQUIRE, [key], [token, String(ttlMs + KEPT_MS)], IDEMPOTENT).catch((error: unknown) => {
        // The server may have given it to this token, or do so when it runs again.
        if (error instanceof ConnectionError && error.mayHaveRun) releaseLater(context, { key, token });
        throw error;
      }),
    );
    if (fencing > 0) return new Lock(context, { key, token, fencing, ttlMs, ends, renew });
    const leftMs = untilMs - clock.now();
    if (leftMs <= 0) return undefined;
    // Half of the pause is random, so that waiting callers don't try in step.
    await clock.sleep(Math.min(leftMs, retryEveryMs * (0.5 + clock.random() / 2)), signal);
    signal?.throwIfAborted();
  }
}
