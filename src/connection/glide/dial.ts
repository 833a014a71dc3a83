import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import type { Until } from "../endings.js";
import { anyAnswer, findPrimary, type ServerSettings } from "../primary.js";
import { type Answer, ProbeError, REACHABLE } from "../probe.js";
import { withDeadline } from "../resilience/deadline.js";
import { fromGlide } from "./conversion.js";

/** What a dial has to know of GLIDE's settings. */
export interface DialSettings extends ServerSettings {
  readonly cluster: boolean;
  readonly name: string;
}

/** How one kind of GLIDE's clients is opened. */
export interface Opener<C> {
  create(addresses: readonly Address[]): Promise<C>;
  /** Sends a PING. `undefined` where `create` itself rejects when there is no server, and leaves nothing then. */
  readonly ping: ((client: C, timeoutMs: number) => Promise<unknown>) | undefined;
}

export interface Dialled<C> {
  readonly client: C;
  /** Where reads go besides; none when there is one server, or all others are out of reach. */
  readonly replicas: readonly Address[];
  /** Whether all servers answer. */
  readonly isWhole: boolean;
}

/** GLIDE failed, though the server may be well. */
class UnexplainedError extends Error {
  constructor(
    message: string,
    /** `undefined` where it had too little time for that to say anything. */
    readonly leastRestMs: number | undefined,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}

interface Failure {
  /** Until when GLIDE is left alone, by `performance.now()`. */
  readonly untilMs: number;
  /** For how long next time. */
  readonly restMs: number;
  readonly error: ConnectionError | undefined;
}

/** Settings whose last dial failed, or is under way. Their key has credentials in it: it never leaves this map. */
const failures = new Map<string, Failure>();

/** A dial that takes longer is explained by the server itself. */
const GRACE_MS = 50;
/** How long GLIDE may take to get through where `node:tls` doubts that it can. */
const DOUBT_MS = 300;
const ARRIVAL_MS = 50;
/**
 * How long GLIDE is left alone where it failed twice although the server answers, or once where that was to be expected; and
 * then each further time. It opens up to eight connections each time.
 */
const FIRST_REST_MS = 4_000;
const LONGEST_REST_MS = 8_000;

/**
 * Opens a GLIDE client so that nothing goes on when that fails. After a `createClient` that failed GLIDE goes on to connect
 * for as long as the process lives. A client that is opened without any server (`NodeDiscoveryMode.Static`) can be closed,
 * but tells no cause. So it has to answer a PING; while it doesn't, a login of our own finds out why. After a failure that
 * login comes first.
 * @throws {ConnectionError}
 */
export async function dialGlide<C extends { close(): void }>(
  settings: DialSettings,
  until: Until,
  opener: Opener<C>,
): Promise<Dialled<C>> {
  const key = JSON.stringify(settings);
  const last = failures.get(key);
  if (last?.error && performance.now() < last.untilMs) throw last.error;
  const restMs = last?.restMs ?? 0;
  failures.set(key, { untilMs: 0, restMs, error: undefined });
  try {
    const dialled = await dial(settings, new Opening(settings, until, opener), last !== undefined);
    failures.delete(key);
    return dialled;
  } catch (cause) {
    const error = toConnectionError(cause, settings.name);
    const leastMs = cause instanceof UnexplainedError ? cause.leastRestMs : undefined;
    failures.set(key, {
      error,
      untilMs: leastMs === undefined ? 0 : performance.now() + Math.max(leastMs, restMs),
      restMs: leastMs === undefined ? 0 : restMs === 0 ? FIRST_REST_MS : LONGEST_REST_MS,
    });
    throw error;
  }
}

async function dial<C extends { close(): void }>(
  settings: DialSettings,
  opening: Opening<C>,
  hasFailed: boolean,
): Promise<Dialled<C>> {
  const { cluster, addresses, connectTimeoutMs } = settings;
  if (!cluster && addresses.length > 1) {
    const { primary, replicas, isWhole, doubt } = await findPrimary(settings);
    return { client: await opening.afterProbe([primary], doubt), replicas, isWhole };
  }
  const alone = { replicas: [], isWhole: true };
  if (!hasFailed) return { client: await opening.atOnce(addresses), ...alone };
  const { doubt } = await anyAnswer(settings, connectTimeoutMs);
  return { client: await opening.afterProbe(addresses, doubt), ...alone };
}

function toConnectionError(cause: unknown, name: string): ConnectionError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const remedy = cause instanceof ProbeError ? cause.remedy : REACHABLE;
  return new ConnectionError(`${name} could not be reached: ${message.replaceAll("\n", "")}; ${remedy}`, { cause });
}

/** One client on its way; for a moment there may be two, of which the first to be connected is taken. */
class Opening<C extends { close(): void }> {
  readonly #settings: DialSettings;
  readonly #until: Until;
  readonly #opener: Opener<C>;
  readonly #startMs = performance.now();
  readonly #tries: Promise<C>[] = [];
  #isOver = false;

  constructor(settings: DialSettings, until: Until, opener: Opener<C>) {
    this.#settings = settings;
    this.#until = until;
    this.#opener = opener;
  }

  /** To a server of which nothing bad is known: with one connection, if it answers soon. */
  async atOnce(addresses: readonly Address[]): Promise<C> {
    const first = this.#try(addresses);
    if (this.#opener.ping === undefined || (await isClear(first, GRACE_MS))) return first;
    const asked = anyAnswer(this.#settings, this.#leftMs);
    this.#until(asked);
    const opened = asked.then((answer) => this.#afterAnswer(addresses, answer));
    const chosen = Promise.race([first.catch(() => opened), opened]);
    return this.#finish(chosen);
  }

  /** To a server that has just answered. */
  afterProbe(addresses: readonly Address[], doubt: Answer["doubt"]): Promise<C> {
    return this.#finish(this.#afterAnswer(addresses, { doubt }));
  }

  /** GLIDE makes a pause when a connection fails, so a client that waits is no reason to wait for it. */
  async #afterAnswer(addresses: readonly Address[], { doubt }: Pick<Answer, "doubt">): Promise<C> {
    const [first] = this.#tries;
    if (!first || (doubt === undefined && !(await isClear(first, GRACE_MS)))) this.#try(addresses);
    const ms = doubt === undefined ? this.#leftMs : Math.min(DOUBT_MS, this.#leftMs);
    const late = () => new Error("no connection in time");
    try {
      return await withDeadline(Promise.any(this.#tries), ms, late);
    } catch (error) {
      const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = doubt ?? `the server answers, but valkey-glide doesn't get through (${reason})`;
      const leastRestMs = doubt !== undefined ? FIRST_REST_MS : ms < DOUBT_MS ? undefined : 0;
      throw new UnexplainedError(message, leastRestMs, { cause });
    }
  }

  /** Whatever is left over is closed as soon as it can be. */
  async #finish(chosen: Promise<C>): Promise<C> {
    const client = await chosen.catch(() => undefined);
    this.#isOver = true;
    for (const one of this.#tries) this.#until(one.then((other) => (other === client ? undefined : this.#end(other))));
    return chosen;
  }

  #try(addresses: readonly Address[]): Promise<C> {
    const opening = this.#open(addresses);
    this.#tries.push(opening);
    return opening;
  }

  async #open(addresses: readonly Address[]): Promise<C> {
    const client = await this.#opener.create(addresses);
    try {
      await this.#verify(client);
      return client;
    } catch (error) {
      await this.#end(client);
      throw error;
    }
  }

  /** A connection that GLIDE has begun arrives at the server a moment later. */
  async #end(client: C): Promise<void> {
    client.close();
    await new Promise((resolve) => setTimeout(resolve, ARRIVAL_MS));
  }

  /**
   * Resolves once a client has answered a PING, whatever the answer. No PING waits for long: GLIDE connects again for what
   * it was handed, also when it is closed.
   * @throws {ProbeError} when the server lets this client do nothing
   */
  async #verify(client: C): Promise<void> {
    const { ping } = this.#opener;
    if (!ping) return;
    for (let timeoutMs = GRACE_MS; ; timeoutMs *= 2) {
      const failure = await ping(client, timeoutMs).then(
        () => undefined,
        (error) => fromGlide(error, this.#settings.name),
      );
      if (failure instanceof ReplyError && failure.code === "NOAUTH")
        throw new ProbeError(failure.message, "give a password");
      if (failure === undefined || failure instanceof ReplyError) return;
      if (this.#isOver || this.#leftMs === 0 || !(failure instanceof TimeoutError)) throw failure;
    }
  }

  /** Until a little before the deadline of the whole dial, which knows no cause. */
  get #leftMs(): number {
    return Math.max(0, this.#settings.connectTimeoutMs - 10 - (performance.now() - this.#startMs));
  }
}

/** Whether a client is there within `ms`, or it is known why not. */
async function isClear(opening: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = opening.then(
    () => true,
    (error) => error instanceof ProbeError,
  );
  return withDeadline(settled, ms, () => new Error("not yet")).catch(() => false);
}
