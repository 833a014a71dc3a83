import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import type { ClientInfo } from "../client-info.js";
import type { LoginSettings } from "../credentials.js";
import type { IamSettings } from "../elasticache-iam.js";
import { ProbeError, type ProbeResult, TopologyError } from "../probe.js";
import { timeLeftMs, withDeadline } from "../resilience/deadline.js";
import type { DialScope } from "../resilience/dialer.js";
import { REACHABLE, remedyOf } from "../unreachable.js";
import { fromGlide } from "./conversion.js";
import { anyAnswer, findPrimary, type ServerSettings } from "./find-primary.js";

/** The part of GLIDE's settings that a dial needs. */
export interface DialSettings extends ServerSettings, LoginSettings, ClientInfo {
  readonly iam: IamSettings | undefined;
  readonly cluster: boolean;
  /** Whether another transport takes over from GLIDE where it can't connect, which needs time as well. */
  readonly hasSubstitute: boolean;
}

/** Opens one kind of GLIDE's clients. */
export interface Opener<C> {
  create(addresses: readonly Address[]): Promise<C>;
  /** Sends a PING. `undefined` if `create` rejects when there is no server and leaves nothing behind. */
  readonly ping: ((client: C, timeoutMs: number) => Promise<unknown>) | undefined;
}

export interface Dialled<C> {
  readonly client: C;
  /** The other servers that answer reads. Empty if there is one server, or if no other server can be reached. */
  readonly replicas: readonly Address[];
  /** Whether all servers answer. */
  readonly isWhole: boolean;
}

/** The server answers, but GLIDE can't connect to it, as behind proxies that don't know its commands. */
export class GlideRefusedError extends ConnectionError {}

/** GLIDE failed, although the server may work. */
class UnexplainedError extends Error {
  constructor(
    message: string,
    /** The shortest pause before the next attempt. `undefined` if GLIDE had too little time to conclude anything. */
    readonly minPauseMs: number | undefined,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}

interface Failure {
  /** When the pause ends, by `performance.now()`. */
  readonly untilMs: number;
  /** The length of the next pause. */
  readonly pauseMs: number;
  readonly error: ConnectionError | undefined;
  readonly password: string | undefined;
}

/**
 * Settings whose last dial failed or is in progress. The key contains a password that never changes, so it never leaves
 * this map. Other passwords are not in the key: each new one would be an entry of its own.
 */
const failures = new Map<string, Failure>();

/** After this time a probe of the server finds out why a dial takes so long. */
const PATIENCE_MS = 50;
/** How long GLIDE may take to connect if `node:tls` doubts that it can. */
const DOUBT_MS = 300;
/** The same, at the most, if another transport takes over then. It is long, as a busy process is no reason to. */
const SUBSTITUTE_MS = 500;
/** How long a connection that GLIDE has begun takes to arrive at the server. */
const ARRIVAL_MS = 50;
/**
 * The pause after GLIDE has failed twice although the server answers, or once where a failure was expected; then the pause
 * after each further failure. GLIDE opens up to eight connections for each attempt.
 */
const FIRST_PAUSE_MS = 4_000;
const LONGEST_PAUSE_MS = 8_000;

/**
 * Opens a GLIDE client and leaves nothing running if that fails. After a failed `createClient` GLIDE keeps connecting until
 * the process ends. A client with `NodeDiscoveryMode.Static` opens without a server and can be closed, but gives no cause
 * of a failure. So the client must answer a PING, and a probe finds the cause if it doesn't. After a failure the probe
 * comes first.
 * @throws {ConnectionError}
 */
export async function dialGlide<C extends { close(): void }>(
  settings: DialSettings,
  scope: DialScope,
  opener: Opener<C>,
): Promise<Dialled<C>> {
  const { password, credentials } = settings;
  const key = JSON.stringify(credentials ? { ...settings, username: undefined, password: undefined } : settings);
  const last = failures.get(key);
  if (last?.error && last.password === password && performance.now() < last.untilMs) throw last.error;
  const pauseMs = last?.pauseMs ?? 0;
  failures.set(key, { untilMs: 0, pauseMs, error: undefined, password });
  try {
    const dialled = await dial(settings, new Opening(settings, scope, opener), last !== undefined);
    failures.delete(key);
    return dialled;
  } catch (cause) {
    const error = toConnectionError(cause, settings);
    const minMs = cause instanceof UnexplainedError ? cause.minPauseMs : undefined;
    failures.set(key, {
      error,
      password,
      untilMs: minMs === undefined ? 0 : performance.now() + Math.max(minMs, pauseMs),
      pauseMs: minMs === undefined ? 0 : pauseMs === 0 ? FIRST_PAUSE_MS : LONGEST_PAUSE_MS,
    });
    throw error;
  }
}

async function dial<C extends { close(): void }>(
  settings: DialSettings,
  opening: Opening<C>,
  hasFailed: boolean,
): Promise<Dialled<C>> {
  const { cluster, addresses } = settings;
  if (!cluster && addresses.length > 1) {
    const { primary, replicas, isWhole, doubt } = await findPrimary({ ...settings, connectTimeoutMs: opening.leftMs });
    return { client: await opening.afterProbe([primary], doubt), replicas, isWhole };
  }
  const alone = { replicas: [], isWhole: true };
  if (!hasFailed) return { client: await opening.atOnce(addresses), ...alone };
  const { doubt } = await anyAnswer(settings, opening.leftMs);
  return { client: await opening.afterProbe(addresses, doubt), ...alone };
}

/** The error of a dial, which names the cause and the remedy. */
export function toConnectionError(cause: unknown, { name, iam }: Pick<DialSettings, "name" | "iam">): ConnectionError {
  const message = (cause instanceof Error ? cause.message : String(cause)).replaceAll("\n", "");
  if (cause instanceof TopologyError) return new ConnectionError(`${name}: ${message}; ${cause.remedy}`, { cause });
  if (iam && cause instanceof UnexplainedError && remedyOf(message) === REACHABLE) {
    const remedy = "check the AWS credentials of this process, and what elasticacheIam() was given";
    return new ConnectionError(`${name} could not be logged in to: ${message}; ${remedy}`, { cause });
  }
  if (cause instanceof UnexplainedError && cause.minPauseMs === 0) {
    const remedy = "use the connection factory iovalkey()";
    return new GlideRefusedError(`${name} could not be reached: ${message}; ${remedy}`, { cause });
  }
  const remedy = cause instanceof ProbeError ? cause.remedy : remedyOf(message);
  return new ConnectionError(`${name} could not be reached: ${message}; ${remedy}`, { cause });
}

/** Opens one client. It may try two at once, and takes the first that connects. */
class Opening<C extends { close(): void }> {
  readonly #settings: DialSettings;
  readonly #scope: DialScope;
  readonly #opener: Opener<C>;
  readonly #tries: Promise<C>[] = [];
  #isOver = false;

  constructor(settings: DialSettings, scope: DialScope, opener: Opener<C>) {
    this.#settings = settings;
    this.#scope = scope;
    this.#opener = opener;
  }

  /** Connects to a server that has not failed, with a single connection if it answers soon. */
  async atOnce(addresses: readonly Address[]): Promise<C> {
    const first = this.#try(addresses);
    if (await isDecided(first, PATIENCE_MS)) return first;
    const asked = anyAnswer(this.#settings, this.leftMs);
    this.#scope.track(asked);
    // GLIDE's error says why it can't connect to a cluster, but not that the server is no cluster.
    if (this.#opener.ping === undefined) return this.#finish(Promise.race([first, asked.then(() => first)]));
    const opened = asked.then((answer) => this.#afterAnswer(addresses, answer));
    const chosen = Promise.race([first.catch(() => opened), opened]);
    return this.#finish(chosen);
  }

  /** Connects to a server that a probe has just reached. */
  afterProbe(addresses: readonly Address[], doubt: ProbeResult["doubt"]): Promise<C> {
    return this.#finish(this.#afterAnswer(addresses, { doubt }));
  }

  /** GLIDE pauses after a failed connection, so a second client may connect sooner than the first one. */
  async #afterAnswer(addresses: readonly Address[], { doubt }: Pick<ProbeResult, "doubt">): Promise<C> {
    const hadFirst = this.#tries.length > 0;
    const first = this.#tries[0] ?? this.#try(addresses);
    // Only the first client has a name, as GLIDE doesn't connect where the server refuses that.
    const mayTryAgain = hadFirst || this.#settings.clientName !== undefined;
    if (mayTryAgain && doubt === undefined && !(await isDecided(first, PATIENCE_MS))) void this.#try(addresses);
    const { hasSubstitute, connectTimeoutMs } = this.#settings;
    const leftMs = this.leftMs;
    const mostMs = hasSubstitute ? Math.min(SUBSTITUTE_MS, leftMs / 2) : leftMs;
    const ms = doubt === undefined ? mostMs : Math.min(DOUBT_MS, leftMs);
    const timeoutError = () => new Error("no connection in time");
    try {
      return await withDeadline(Promise.any(this.#tries), ms, timeoutError);
    } catch (error) {
      const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = doubt ?? `the server answers, but valkey-glide can't connect (${reason})`;
      const hadTime = ms >= (hasSubstitute ? Math.min(DOUBT_MS, connectTimeoutMs / 3) : DOUBT_MS);
      const minPauseMs = doubt !== undefined ? FIRST_PAUSE_MS : hadTime ? 0 : undefined;
      throw new UnexplainedError(message, minPauseMs, { cause });
    }
  }

  /** Closes the other clients as soon as they are open. */
  async #finish(chosen: Promise<C>): Promise<C> {
    const client = await chosen.catch(() => undefined);
    this.#isOver = true;
    for (const one of this.#tries)
      this.#scope.track(one.then((other) => (other === client ? undefined : this.#end(other))));
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

  /** Closes a client and waits for connections that GLIDE has begun. */
  async #end(client: C): Promise<void> {
    client.close();
    await new Promise((resolve) => setTimeout(resolve, ARRIVAL_MS));
  }

  /**
   * Resolves once a client has a reply to a PING, whatever the reply. Each PING has a short timeout, as GLIDE reconnects
   * for pending commands even when it is closed.
   * @throws {ProbeError} when the server refuses this client
   */
  async #verify(client: C): Promise<void> {
    const { ping } = this.#opener;
    if (!ping) return;
    for (let timeoutMs = PATIENCE_MS; ; timeoutMs *= 2) {
      const failure = await ping(client, timeoutMs).then(
        () => undefined,
        (error) => fromGlide(error, this.#settings.name),
      );
      if (failure instanceof ReplyError && failure.code === "NOAUTH")
        throw new ProbeError(failure.message, "give a password");
      if (failure === undefined || failure instanceof ReplyError) return;
      if (this.#isOver || this.leftMs === 0 || !(failure instanceof TimeoutError)) throw failure;
    }
  }

  get leftMs(): number {
    return timeLeftMs(this.#scope.endMs);
  }
}

/** Whether a client opens within `ms`, or fails for a known reason. */
async function isDecided(opening: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = opening.then(
    () => true,
    (error) => error instanceof ProbeError,
  );
  return withDeadline(settled, ms, () => new Error("not yet")).catch(() => false);
}
