import { AbstractConnector, Redis, type RedisOptions, Command as Sent, ReplyError as ServerError } from "#iovalkey";
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
import { ConnectionError, ReplyError, TimeoutError, throwIfError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import type { AddressResolver } from "../address-map.js";
import { type ClientInfo, introduction, omit, omitted } from "../client-info.js";
import { type CurrentLogin, type Login, type LoginSettings, withLogin } from "../credentials.js";
import { toNodeTls } from "../node-socket.js";
import type { TlsSettings } from "../options.js";
import type { Renew } from "../renewal.js";
import { withDeadline } from "../resilience/deadline.js";
import { ScriptRunner, scanServer } from "../server-commands.js";
import { ByteDuplex } from "./byte-duplex.js";
import type { Connector } from "./connector.js";

/** The settings of an iovalkey client. They are plain data, so that equal settings can be recognised. */
export interface IovalkeySettings extends LoginSettings, ClientInfo {
  readonly address: Address | { readonly path: string };
  readonly addressMap: AddressResolver | undefined;
  readonly database: number;
  readonly commandTimeoutMs: number;
  readonly maxIdleMs: number;
  readonly tls: TlsSettings | undefined;
}

/** Errors that a server sends instead of accepting the connection. */
const CONNECTION_REFUSED = /^(?:ERR max number of clients|DENIED )/;
/** How long the server may take to end a closed connection. */
const END_MS = 100;

/**
 * Opens a client.
 * @param retire replaces the connection at its next use
 * @param renew keeps it logged in, where connections outlive a request
 * @throws {ConnectionError}
 */
export function openIovalkey(
  settings: IovalkeySettings,
  connector: Connector | undefined,
  retire: () => void,
  renew?: Renew,
): Promise<Connection> {
  return withLogin(settings, async (login) => {
    const connection = await open(settings, connector, login);
    if (login.endsMs < Infinity && renew)
      connection.onClose = renew({ settings, login, retire, authenticate: (next) => connection.authenticate(next) });
    return connection;
  });
}

async function open(
  settings: IovalkeySettings,
  connector: Connector | undefined,
  login: CurrentLogin,
): Promise<IovalkeyConnection> {
  const { name, connectTimeoutMs } = settings;
  const client = new Redis(toOptions(settings, connector));
  let cause: unknown;
  // `connect` rejects with "Connection is closed." only. The event before has the cause.
  client.on("error", (error: unknown) => {
    cause ??= error;
  });
  const connection = new IovalkeyConnection(client, name);
  const timeoutError = () =>
    new TimeoutError(`${name} could not be reached within ${connectTimeoutMs} ms; check that it is running`);
  try {
    const ready = client.connect().then(() => connection.greet(settings, login));
    await withDeadline(ready, connectTimeoutMs, timeoutError);
    return connection;
  } catch (error) {
    await connection.close();
    if (error instanceof ConnectionError) throw error;
    const reason = cause ?? error;
    const message = reason instanceof Error && reason.message !== "" ? reason.message : String(reason);
    throw new ConnectionError(`${name} could not be reached: ${message}; check that it is running, and the location`, {
      cause: reason,
    });
  }
}

function toOptions(settings: IovalkeySettings, connector: Connector | undefined): RedisOptions {
  const { address: given, addressMap, connectTimeoutMs, tls } = settings;
  const address = "host" in given ? (addressMap?.resolve(given) ?? given) : given;
  return {
    ...address,
    // Both IPv4 and IPv6. By default iovalkey tries IPv6 only when it reconnects, which is disabled here.
    family: 0,
    ...(tls && !connector && { tls: toNodeTls(tls, "host" in address ? address.host : "") }),
    ...(connector && "host" in address && { Connector: connectorClass(connector, address, tls !== undefined) }),
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    // LazyConnection reconnects, retries and keeps deadlines.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: END_MS,
  };
}

function connectorClass(
  connector: Connector,
  { host: name, port }: Address,
  tls: boolean,
): NonNullable<RedisOptions["Connector"]> {
  // `cloudflare:sockets` takes IPv6 addresses in brackets only, `node:net` on other hosts without them only.
  const host = name.includes(":") && keepsRequestsApart() ? `[${name}]` : name;
  return class extends AbstractConnector {
    constructor() {
      super(END_MS);
    }

    override async connect(): ReturnType<AbstractConnector["connect"]> {
      this.connecting = true;
      const streams = await connector({ host, port, tls });
      await streams.opened;
      const duplex = new ByteDuplex(streams);
      if (!this.connecting) throw duplex.destroy(new Error("closed while connecting")).errored;
      // iovalkey types it as a socket, and uses only members that ByteDuplex has.
      this.stream = duplex as unknown as typeof this.stream;
      return this.stream;
    }
  };
}

class IovalkeyConnection implements Connection {
  readonly #client: Redis;
  readonly #name: string;
  readonly #scripts = new ScriptRunner((commands, options) => this.send(commands, options));
  /** Called when it is closed. */
  onClose: (() => void) | undefined;
  /** Rejects when the server refused the credentials. */
  #greeted: Promise<void> | undefined;

  constructor(client: Redis, name: string) {
    this.#client = client;
    this.#name = name;
  }

  /**
   * Logs in, selects the database, and says what this client is. iovalkey could do both, but doesn't report a refusal. The credentials are sent when
   * this resolves: the first round trip follows at once, and fails if they are refused. This waits for the reply to SELECT,
   * so that no command runs in another database.
   */
  async greet(settings: IovalkeySettings, login: Login): Promise<void> {
    const { database, credentials } = settings;
    const greetings = toAuth(login);
    if (database !== 0) greetings.push(["SELECT", String(database)]);
    const info = introduction(settings);
    if (greetings.length + info.length === 0) return;
    const greeted = this.#exchange([...greetings, ...info]).then(
      (replies) => {
        const refused = replies.slice(0, greetings.length).find((reply) => reply instanceof ReplyError);
        if (refused) throw this.#refusal(refused);
        const isRefused = (_: Command, i: number) => replies[greetings.length + i] instanceof ReplyError;
        omit(info.filter(isRefused), settings);
        this.#greeted = undefined;
      },
      (error) => {
        // Proxies such as twemproxy close the connection on commands that they don't know. An error without a cause is a
        // refusal of the client.
        if (error.cause) omit(info, settings);
        throw error;
      },
    );
    this.#greeted = greeted;
    // The round trips that wait for it report the error.
    greeted.catch(() => {});
    // A refused login is tried once more with credentials that have changed.
    if (database !== 0 || credentials) await greeted;
  }

  async authenticate(login: Login): Promise<void> {
    const [reply] = await this.#exchange(toAuth(login));
    throwIfError(reply);
  }

  async send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (commands.length === 0) return [];
    const answered = options?.atomic ? this.#transaction(commands) : this.#exchange(commands);
    if (this.#greeted) {
      // Replies that came without a login don't count.
      answered.catch(() => {});
      await this.#greeted;
    }
    return answered;
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#scripts.run(script, keys, args, options);
  }

  async *scan({ match, count }: ScanOptions): AsyncIterable<string[]> {
    yield* scanServer((command) => this.send([command]), match, count);
  }

  status(): ConnectionStatus {
    return { state: "closed", lastError: undefined, transport: "iovalkey", ...omitted(this.#name) };
  }

  async close(): Promise<void> {
    this.onClose?.();
    this.#client.disconnect();
    this.#client.stream?.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #transaction(commands: readonly Command[]): Promise<Reply[]> {
    const replies = await this.#exchange([["MULTI"], ...commands, ["EXEC"]]);
    const ran = replies.at(-1);
    if (ran instanceof ReplyError) throw ran;
    if (!Array.isArray(ran)) throw new ConnectionError(`${this.#name} aborted an atomic batch; retry it`);
    return ran.map((reply, i) => toShape(reply, commands[i]?.[0]));
  }

  /** Sends all commands in one write. */
  async #exchange(commands: readonly Command[]): Promise<Reply[]> {
    const sent = commands.map(toSent);
    const { stream } = this.#client;
    stream.cork();
    for (const command of sent) this.#client.sendCommand(command);
    stream.uncork();
    const settled = await Promise.allSettled<unknown>(sent.map(({ promise }) => promise));
    return settled.map((one, i) =>
      one.status === "fulfilled" ? toShape(toReply(one.value), commands[i]?.[0]) : this.#failed(one.reason),
    );
  }

  /** The server's own errors are replies; all others mean that the connection is lost. */
  #failed(error: unknown): ReplyError {
    if (error instanceof Error && error instanceof ServerError) {
      const reply = toReplyError(error);
      if (CONNECTION_REFUSED.test(`${reply.code} ${reply.detail}`)) throw this.#refusal(reply);
      return reply;
    }
    const message = error instanceof Error ? error.message : String(error);
    throw new ConnectionError(`the connection to ${this.#name} was lost: ${message}; check that it is running`, {
      cause: error,
    });
  }

  #refusal({ message }: ReplyError): ConnectionError {
    return new ConnectionError(
      `${this.#name} refused the connection: ${message}; check the username, the password and the database, or raise its maxclients`,
    );
  }
}

function toAuth({ username, password }: Login): Command[] {
  return password === undefined ? [] : [["AUTH", ...(username === undefined ? [] : [username]), password]];
}

function toSent(command: Command): Sent {
  const [name, ...args] = command;
  // Upper case keeps iovalkey from transforming the arguments and replies of commands that it knows in lower case.
  return new Sent(name.toUpperCase(), args.map(toArgument), { replyEncoding: null });
}

function toArgument(part: Argument): string | Buffer {
  return typeof part === "string" ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}

/** Commands whose reply is a map, which RESP2 sends as alternating keys and values. */
const MAPS: ReadonlySet<string> = new Set(["HGETALL", "CONFIG"]);
const CODED = /^([A-Z][A-Z0-9_]*) (.*)$/s;
const [PLUS, CR, LF] = [0x2b, 0x0d, 0x0a] as const;
const MAX_STATUS_LENGTH = 64;

/** Converts a reply of iovalkey: status replies become strings, errors stay in their place. Maps are still flat. */
export function toReply(value: unknown): Reply {
  if (value === null || typeof value === "number") return value;
  if (value instanceof Uint8Array) return status(value) ?? value;
  if (Array.isArray(value)) return value.map(toReply);
  if (value instanceof Error) return toReplyError(value);
  return new ReplyError("ERR", `a reply of an unexpected type, ${typeof value}`);
}

/** The reply in the port's shape: a map as an array of pairs. */
export function toShape(reply: Reply, command = ""): Reply {
  if (!Array.isArray(reply) || !MAPS.has(command.toUpperCase())) return reply;
  const pairs: Reply[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.push(reply.slice(i, i + 2));
  return pairs;
}

/** The server's error. It has no cause, as iovalkey's error contains the command's arguments, passwords included. */
export function toReplyError({ message }: Error): ReplyError {
  const [, code = "ERR", detail = message] = CODED.exec(message) ?? [];
  return new ReplyError(code, detail);
}

/**
 * The text of a status reply. iovalkey returns it as bytes, like a bulk string. Both are views of the received data, where
 * a status stands between `+` and CR LF. A bulk string that arrived in several pieces is a view of other memory. Even if
 * that looks like a status, the string is short printable text with the same meaning.
 */
function status(bytes: Uint8Array): string | undefined {
  const { buffer, byteOffset, length } = bytes;
  if (byteOffset === 0 || length > MAX_STATUS_LENGTH) return undefined;
  const around = new Uint8Array(buffer, byteOffset - 1, Math.min(length + 3, buffer.byteLength - byteOffset + 1));
  if (around[0] !== PLUS || around[length + 1] !== CR || around[length + 2] !== LF) return undefined;
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? String.fromCharCode(...bytes) : undefined;
}
