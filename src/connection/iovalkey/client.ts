import { AbstractConnector, Redis, type RedisOptions, ReplyError as ServerError } from "#iovalkey";
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
import { toReplyError, toShape } from "../resp2.js";
import { ScriptRunner, scanServer } from "../server-commands.js";
import { remedyOf } from "../unreachable.js";
import { ByteDuplex } from "./byte-duplex.js";
import type { Connector } from "./connector.js";
import { appendCommand, checkParts, toReply } from "./conversion.js";

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
/** In characters or bytes. All that is in one write is copied first. */
const MAX_WRITE_LENGTH = 65_536;
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
    throw new ConnectionError(`${name} could not be reached: ${message}; ${remedyOf(message)}`, { cause: reason });
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
  /** Commands of this turn of the event loop, as text and bytes. */
  #outgoing: (string | Buffer)[] = [];
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
    const greeted = this.#exchange([...greetings, ...info], false).then(
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
    const [reply] = await this.#exchange(toAuth(login), false);
    throwIfError(reply);
  }

  send(commands: readonly Command[], { atomic = false, text = false }: SendOptions = {}): Promise<Reply[]> {
    if (commands.length === 0) return Promise.resolve([]);
    const answered = atomic ? this.#transaction(commands, text) : this.#exchange(commands, text);
    const greeted = this.#greeted;
    if (!greeted) return answered;
    // Replies that came without a login don't count.
    answered.catch(() => {});
    return greeted.then(() => answered);
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
    if (this.#outgoing.length > 0) this.#flush();
    this.#client.disconnect();
    this.#client.stream?.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #transaction(commands: readonly Command[], text: boolean): Promise<Reply[]> {
    const replies = await this.#exchange([["MULTI"], ...commands, ["EXEC"]], text);
    const ran = replies.at(-1);
    if (ran instanceof ReplyError) throw ran;
    if (!Array.isArray(ran)) throw new ConnectionError(`${this.#name} aborted an atomic batch; retry it`);
    return ran.map((reply, i) => toShape(reply, commands[i]?.[0]));
  }

  /** Sends commands at the end of this turn of the event loop, in one write with all others of this turn. */
  #exchange(commands: readonly Command[], text: boolean): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      checkParts(commands);
      const { status, stream, commandQueue } = this.#client;
      if (status !== "ready" || !stream.writable) throw this.#failed(new Error("Connection is closed."));
      const replies: Reply[] = [];
      const add = (reply: Reply): void => void (replies.push(reply) === commands.length && resolve(replies));
      const command = {
        name: "",
        args: [],
        resolve: (value: unknown) => add(toShape(toReply(value, text), commands[replies.length]?.[0])),
        // The server's own errors are replies; all others mean that the connection is lost.
        reject: (error: Error) => {
          const reply = error instanceof ServerError ? toReplyError(error.message) : undefined;
          if (!reply) reject(this.#failed(error));
          else if (CONNECTION_REFUSED.test(`${reply.code} ${reply.detail}`)) reject(this.#refusal(reply));
          else add(reply);
        },
      };
      if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
      for (const one of commands) {
        appendCommand(this.#outgoing, one);
        // iovalkey answers the commands in its queue in their order.
        commandQueue.push({ command, stream, select: 0 });
      }
    });
  }

  #flush(): void {
    const { stream } = this.#client;
    const chunks = this.#outgoing;
    this.#outgoing = [];
    let length = 0;
    stream.cork();
    for (const chunk of chunks) {
      stream.write(chunk);
      length += chunk.length;
      if (length < MAX_WRITE_LENGTH) continue;
      stream.uncork();
      stream.cork();
      length = 0;
    }
    stream.uncork();
  }

  #failed(error: Error): ConnectionError {
    const message = `the connection to ${this.#name} was lost: ${error.message}; check that it is running`;
    return new ConnectionError(message, { cause: error });
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
