import type { Command, Connection, Reply } from "../../core/connection.js";
import { ConfigurationError, ConnectionError, ReplyError, TimeoutError, throwIfError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import { toText } from "../../core/text.js";
import { BackgroundWork, type TrackWork } from "../resilience/background-work.js";
import { withDeadline } from "../resilience/deadline.js";

export interface SentinelsOptions {
  readonly service: string;
  readonly addresses: readonly Address[];
  /** Whether to ask for replicas as well. */
  readonly replicas: boolean;
  /** Whether to keep the connection to the sentinel that answered, for the messages that it publishes. */
  readonly keeps: boolean;
  /** How long one sentinel may take, dialling included. */
  readonly timeoutMs: number;
  /** Opens a connection to one sentinel. */
  open(address: Address, track: TrackWork): Promise<Connection>;
}

/** After this long without an answer of a sentinel, the next one is asked as well. */
const STAGGER_MS = 100;

/** Asks sentinels until one answers, and keeps the connection to that one. */
export class Sentinels {
  readonly #options: SentinelsOptions;
  readonly #background = new BackgroundWork();
  /** The sentinel that answered last comes first. */
  #order: readonly Address[];
  #kept: { readonly address: Address; readonly connection: Connection } | undefined;
  #locating: Promise<Servers> | undefined;
  #closed = false;

  constructor(options: SentinelsOptions) {
    this.#options = options;
    this.#order = options.addresses;
  }

  /** Asks where the servers are. @throws {ConnectionError} when no sentinel answers */
  locate(): Promise<Servers> {
    this.#locating ??= this.#askAll().finally(() => {
      this.#locating = undefined;
    });
    return this.#locating;
  }

  /** What the sentinel that answered last refused; `undefined` when nothing was, or no connection to it is kept. */
  get unavailable(): readonly string[] | undefined {
    return this.#kept?.connection.status().unavailable;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const kept = this.#kept;
    this.#kept = undefined;
    await kept?.connection.close();
    await this.#background.allSettled();
  }

  /** Asks the next sentinel as soon as one fails or is slow. The first answer counts. */
  #askAll(): Promise<Servers> {
    const waiting = [...this.#order];
    const failures: string[] = [];
    return new Promise((resolve, reject) => {
      let isDone = false;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const askNext = (): void => {
        clearTimeout(timer);
        const address = waiting.shift();
        if (isDone || !address) return;
        if (waiting.length > 0) timer = setTimeout(askNext, STAGGER_MS);
        this.#askInTime(address, () => isDone).then(
          (servers) => {
            isDone = true;
            clearTimeout(timer);
            resolve(servers);
          },
          (error) => {
            if (error instanceof ConfigurationError) {
              isDone = true;
              reject(error);
            }
            failures.push(`${address.host}:${address.port}: ${error instanceof Error ? error.message : error}`);
            if (failures.length === this.#options.addresses.length) reject(this.#failure(failures, error));
            else askNext();
          },
        );
      };
      askNext();
    });
  }

  #askInTime(address: Address, isTooLate: () => boolean): Promise<Servers> {
    const { timeoutMs } = this.#options;
    let isLate = false;
    let silent: Connection | undefined;
    const onOpen = (connection: Connection): void => {
      silent = connection;
    };
    const asked = this.#ask(address, () => isLate || isTooLate(), onOpen);
    this.#background.track(asked);
    return withDeadline(asked, timeoutMs, () => {
      isLate = true;
      if (silent) this.#discard(silent);
      return new TimeoutError(`no answer within ${timeoutMs} ms`);
    });
  }

  async #ask(address: Address, isTooLate: () => boolean, onOpen: (connection: Connection) => void): Promise<Servers> {
    const { keeps, open } = this.#options;
    const kept = this.#kept?.address === address ? this.#kept : undefined;
    const connection = kept?.connection ?? (await open(address, this.#background.track));
    onOpen(connection);
    try {
      const servers = await this.#servers(connection);
      if (isTooLate() || !keeps || this.#closed) this.#discard(connection);
      else this.#keep(address, connection);
      return servers;
    } catch (error) {
      this.#discard(connection);
      throw error;
    }
  }

  async #servers(connection: Connection): Promise<Servers> {
    const { service, replicas } = this.#options;
    const commands: Command[] = [["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service]];
    if (replicas) commands.push(["SENTINEL", "REPLICAS", service]);
    const [where = null, others = null] = await connection.send(commands, { readOnly: true });
    if (where instanceof ReplyError && /^unknown command/i.test(where.detail))
      throw new ConnectionError(`${where.message.trim()}; it is not a sentinel, so use glide() or iovalkey() for it`);
    const primary = toPrimary(throwIfError(where));
    if (!primary) throw new ConnectionError(`it knows no service ${JSON.stringify(service)}`);
    return { primary, replicas: replicas ? toReplicas(throwIfError(others)) : [] };
  }

  #keep(address: Address, connection: Connection): void {
    this.#order = [address, ...this.#order.filter((one) => one !== address)];
    const last = this.#kept?.connection;
    this.#kept = { address, connection };
    if (last && last !== connection) this.#discard(last);
  }

  #discard(connection: Connection): void {
    if (this.#kept?.connection === connection) this.#kept = undefined;
    this.#background.track(connection.close());
  }

  #failure(failures: readonly string[], cause: unknown): ConnectionError {
    return new ConnectionError(
      `no sentinel said where the primary of ${JSON.stringify(this.#options.service)} is (${failures.join("; ")}); check that the sentinels are running, their addresses and credentials, and the name of the service`,
      { cause },
    );
  }
}

/** The primary and, if asked for, its replicas that are up. */
export interface Servers {
  readonly primary: Address;
  readonly replicas: readonly Address[];
}

/** The reply to `SENTINEL GET-MASTER-ADDR-BY-NAME`; `undefined` if the sentinel doesn't know the service. */
export function toPrimary(reply: Reply): Address | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [host, port] = reply.map(textOf);
  return toAddress(host, port);
}

/** The reply to `SENTINEL REPLICAS`: the fields of each replica, in pairs under RESP3 and flat under RESP2. */
export function toReplicas(reply: Reply): Address[] {
  if (!Array.isArray(reply)) return [];
  return reply
    .map(toFields)
    .filter(isUp)
    .map((fields) => toAddress(fields.get("ip"), fields.get("port")))
    .filter((address) => address !== undefined);
}

/** Whether a message of `+switch-master` is about a service. It has the service, the old address and the new address. */
export function isSwitchOf(service: string, message: string): boolean {
  return message.startsWith(`${service} `);
}

/** Whether the reply to `ROLE` is a primary's. It counts as one if the user may not ask. */
export function isPrimaryRole(reply: Reply): boolean {
  if (reply instanceof ReplyError) return reply.code === "NOPERM";
  return Array.isArray(reply) && textOf(reply[0] ?? null) === "master";
}

function toFields(reply: Reply): Map<string, string> {
  const flat = Array.isArray(reply) ? reply.flat(1).map(textOf) : [];
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] ?? "", flat[i + 1] ?? "");
  return fields;
}

/** Whether a replica can answer reads: the sentinel can reach it, and it has data. */
function isUp(fields: Map<string, string>): boolean {
  return fields.get("flags") === "slave" && fields.get("master-link-status") === "ok";
}

function toAddress(host: string | undefined, port: string | undefined): Address | undefined {
  const number = Number(port);
  return host && Number.isInteger(number) && number > 0 && number < 65_536 ? { host, port: number } : undefined;
}

function textOf(reply: Reply): string {
  return typeof reply === "string" || reply instanceof Uint8Array ? toText(reply) : "";
}
