import type { Availability } from "../../core/availability.js";
import type {
  Argument,
  Command,
  Connection,
  ConnectionEvent,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../../core/connection.js";
import { ConnectionError, TimeoutError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import type { Clock } from "../../core/time.js";
import type { TrackWork } from "../resilience/background-work.js";
import { withDeadline } from "../resilience/deadline.js";
import type { DialScope } from "../resilience/dialer.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import { isPrimaryRole, isSwitchOf, Sentinels, type Servers } from "./discovery.js";

/** Opens connections to sentinels and to their servers. */
export interface SentinelTransport {
  /** @param onSwitch called with the messages of `+switch-master`, if the transport can subscribe */
  openSentinel(address: Address, onSwitch: (message: string) => void, track: TrackWork): Promise<Connection>;
  /** Finds out which of several servers is the primary. */
  openServers(servers: Servers, scope: DialScope): Promise<Connection>;
  /** Loads the code that it needs. */
  prepare(): Promise<unknown>;
}

export interface SentinelSettings {
  /** For messages. */
  readonly name: string;
  readonly service: string;
  readonly sentinels: readonly Address[];
  /** Whether reads may go to replicas. */
  readonly replicas: boolean;
  /** Whether it lives as long as the process. Only then it follows the messages of sentinels. */
  readonly watches: boolean;
  readonly connectTimeoutMs: number;
  /** How long one sentinel may take. */
  readonly sentinelTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly maxIdleMs: number;
  readonly clock: Clock;
  /** What is known of the servers, where connections live as long as a request. @default nothing */
  readonly availability?: Availability;
}

/** How often to ask sentinels while commands succeed, as their messages may get lost. */
const CHECK_MS = 5_000;

/** A connection to the server that sentinels currently name as the primary. */
export class SentinelConnection implements Connection {
  readonly #settings: SentinelSettings;
  readonly #transport: SentinelTransport;
  readonly #sentinels: Sentinels;
  readonly #lazy: LazyConnection;
  #servers: Servers | undefined;
  #checkedMs = 0;

  constructor(settings: SentinelSettings, transport: SentinelTransport) {
    const { service, sentinels: addresses, replicas, watches: keeps, sentinelTimeoutMs: timeoutMs } = settings;
    this.#settings = settings;
    this.#transport = transport;
    const onSwitch = (message: string): void => {
      if (isSwitchOf(service, message)) this.#lazy.replace();
    };
    const open = (address: Address, track: TrackWork) => transport.openSentinel(address, onSwitch, track);
    this.#sentinels = new Sentinels({ service, addresses, replicas, keeps, timeoutMs, open });
    const { connectTimeoutMs } = settings;
    this.#lazy = new LazyConnection(
      (track, retire) => this.#dial({ track, retire, endMs: performance.now() + connectTimeoutMs }),
      { ...settings, prepare: () => transport.prepare(), redial: true },
    );
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    this.#watch();
    return this.#lazy.send(commands, options);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    this.#watch();
    return this.#lazy.script(script, keys, args, options);
  }

  scan(options: ScanOptions): AsyncIterable<string[]> {
    this.#watch();
    return this.#lazy.scan(options);
  }

  watch(listener: (event: ConnectionEvent) => void): () => void {
    return this.#lazy.watch(listener);
  }

  replace(): void {
    this.#lazy.replace();
  }

  status(): ConnectionStatus {
    const status = { ...this.#lazy.status(), topology: "sentinel" as const };
    const { unavailable } = this.#sentinels;
    return unavailable
      ? { ...status, unavailable: [...new Set([...(status.unavailable ?? []), ...unavailable])] }
      : status;
  }

  async close(): Promise<void> {
    await Promise.all([this.#lazy.close(), this.#sentinels.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #dial(scope: DialScope): Promise<Connection> {
    const servers = await this.#sentinels.locate();
    const connection = await this.#transport.openServers(servers, scope);
    try {
      await this.#checkRole(connection, servers);
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#servers = servers;
    this.#checkedMs = this.#settings.clock.now();
    return connection;
  }

  /** A sentinel that was cut off from the others names the old primary, which may be a replica by now. */
  async #checkRole(connection: Connection, { primary, replicas }: Servers): Promise<void> {
    if (replicas.length > 0) return;
    const { name, commandTimeoutMs } = this.#settings;
    const asked = connection.send([["ROLE"]], { readOnly: true });
    const timeoutError = () => new TimeoutError(`${name}: ${primary.host}:${primary.port} did not answer in time`);
    const [role = null] = await withDeadline(asked, commandTimeoutMs, timeoutError);
    if (isPrimaryRole(role)) return;
    throw new ConnectionError(
      `${name}: the sentinels name ${primary.host}:${primary.port} as the primary, but it is not one; wait for the failover to end`,
    );
  }

  /** Commands drive the check, so that an idle process asks no sentinels. */
  #watch(): void {
    const { watches, clock } = this.#settings;
    if (!watches || !this.#servers || Math.abs(clock.now() - this.#checkedMs) < CHECK_MS) return;
    this.#checkedMs = clock.now();
    void this.#check(this.#servers);
  }

  async #check(known: Servers): Promise<void> {
    try {
      const found = await this.#sentinels.locate();
      if (this.#servers === known && !areSame(known, found)) this.#lazy.replace();
    } catch {
      // Commands succeed without sentinels. Once they fail, the next dial reports both errors.
    }
  }
}

function areSame(one: Servers, other: Servers): boolean {
  const text = ({ primary, replicas }: Servers) =>
    [primary, ...replicas.toSorted((a, b) => toText(a).localeCompare(toText(b)))].map(toText).join(" ");
  const toText = ({ host, port }: Address) => `${host}:${port}`;
  return text(one) === text(other);
}
