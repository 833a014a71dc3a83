import type {
  Argument,
  Command,
  Connection,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../../core/connection.js";
import { ConnectionError, TimeoutError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import type { Clock } from "../../core/time.js";
import type { Until } from "../endings.js";
import { withDeadline } from "../resilience/deadline.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import { isPrimarysRole, isSwitchOf, Sentinels, type Servers } from "./discovery.js";

/** Opens what sentinels and their servers are reached by. */
export interface SentinelTransport {
  /** @param onSwitch is told what the sentinel publishes on `+switch-master`, where the transport can subscribe */
  openSentinel(address: Address, onSwitch: (message: string) => void, until: Until): Promise<Connection>;
  /** Of several servers, it finds out by itself which one is the primary. */
  openServers(servers: Servers, until: Until): Promise<Connection>;
}

export interface SentinelSettings {
  /** For messages. */
  readonly name: string;
  readonly service: string;
  readonly sentinels: readonly Address[];
  /** Whether reads may go to replicas. */
  readonly replicas: boolean;
  /** Whether it lives as long as the process: then it follows what sentinels publish. */
  readonly watches: boolean;
  readonly connectTimeoutMs: number;
  /** How long one sentinel may take. */
  readonly sentinelTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly maxIdleMs: number;
  readonly clock: Clock;
}

/** How often sentinels are asked while commands succeed, as what they publish may get lost. */
const CHECK_MS = 5_000;

/** A connection to the server that sentinels name as the primary, whichever that is by and by. */
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
    const open = (address: Address, until: Until) => transport.openSentinel(address, onSwitch, until);
    this.#sentinels = new Sentinels({ service, addresses, replicas, keeps, timeoutMs, open });
    this.#lazy = new LazyConnection((until) => this.#dial(until), { ...settings, redial: true });
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

  status(): ConnectionStatus {
    return this.#lazy.status();
  }

  async close(): Promise<void> {
    await Promise.all([this.#lazy.close(), this.#sentinels.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #dial(until: Until): Promise<Connection> {
    const servers = await this.#sentinels.locate();
    const connection = await this.#transport.openServers(servers, until);
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

  /** A sentinel that was cut off from the others names the old primary; that one may be a replica by now. */
  async #checkRole(connection: Connection, { primary, replicas }: Servers): Promise<void> {
    if (replicas.length > 0) return;
    const { name, commandTimeoutMs } = this.#settings;
    const asked = connection.send([["ROLE"]], { readOnly: true });
    const late = () => new TimeoutError(`${name}: ${primary.host}:${primary.port} did not answer in time`);
    const [role = null] = await withDeadline(asked, commandTimeoutMs, late);
    if (isPrimarysRole(role)) return;
    throw new ConnectionError(
      `${name}: the sentinels name ${primary.host}:${primary.port} as the primary, and it is none; wait for the failover to end`,
    );
  }

  /** Driven by calls, so that an idle process asks nobody. */
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
      // Commands succeed without sentinels; once they don't, the dial that follows tells of both.
    }
  }
}

function areSame(one: Servers, other: Servers): boolean {
  const text = ({ primary, replicas }: Servers) =>
    [primary, ...replicas.toSorted((a, b) => toText(a).localeCompare(toText(b)))].map(toText).join(" ");
  const toText = ({ host, port }: Address) => `${host}:${port}`;
  return text(one) === text(other);
}
