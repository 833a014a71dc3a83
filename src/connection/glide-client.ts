import type { Argument, Command, Reply } from "../core/command.js";
import type { Connection, ConnectionStatus, ScanOptions, SendOptions } from "../core/connection.js";
import { ConnectionError, ReplyError } from "../core/errors.js";
import type { Address } from "../core/location.js";
import type { Script } from "../core/script.js";
import { answering } from "./answering.js";
import { Bunch } from "./bunch.js";
import { toArguments } from "./glide-arguments.js";
import { fromGlide } from "./glide-errors.js";
import { type Glide, type GlideModule, loadGlide } from "./glide-module.js";
import { toReply } from "./glide-replies.js";
import type { ReadFrom } from "./options.js";
import { keysOf, scanServer } from "./scan-server.js";
import { ScriptRunner } from "./script-runner.js";

type Client = Glide.GlideClient | Glide.GlideClusterClient;

/** How much GLIDE's native side writes to standard output. */
export type GlideLogLevel = "off" | "error" | "warn" | "info" | "debug";

/** What GLIDE is opened with: plain data, so that equal settings are recognised as such. */
export interface GlideSettings {
  readonly cluster: boolean;
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly protocol: 2 | 3;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly readFrom: ReadFrom;
  readonly clientAz: string | undefined;
  readonly tls: { readonly insecure: boolean; readonly ca: string | undefined } | undefined;
  readonly logLevel: GlideLogLevel;
}

/** GLIDE rejects flights over this number instead of queueing them; the deadline bounds how many there can be. */
const IN_FLIGHT = 1_000_000;

/** Opens a client. @throws {ConnectionError} @throws {GlideMissingError} */
export function openGlide(settings: GlideSettings): Promise<Connection> {
  return open(settings, (module) =>
    settings.cluster
      ? module.GlideClusterClient.createClient(common(module, settings))
      : openStandalone(module, settings),
  );
}

/**
 * Opens a client to a sentinel, and hands on what that publishes on a channel. As sentinels have no role to ask for, it
 * may open without any: then its commands get no answer. @throws {ConnectionError} @throws {GlideMissingError}
 */
export function openGlideSentinel(
  settings: GlideSettings,
  channel: string,
  onMessage: (message: string) => void,
): Promise<Connection> {
  return open(settings, async (module) => {
    const client = await module.GlideClient.createClient({
      ...common(module, settings),
      protocol: module.ProtocolVersion.RESP3,
      nodeDiscoveryMode: module.NodeDiscoveryMode.Static,
      pubsubSubscriptions: { channelsAndPatterns: {}, callback: ({ message }) => onMessage(String(message)) },
    });
    // Nobody waits for it: a user who may not subscribe can still ask.
    await client.subscribeLazy([channel]);
    return client;
  });
}

/**
 * Where a client was opened last without success, or is being opened. GLIDE keeps a connection on which it asked something
 * until there is an answer, even when it is given up: to a server that hangs, each dial would leave some.
 */
const doubtful = new Set<string>();

async function open(settings: GlideSettings, create: (module: GlideModule) => Promise<Client>): Promise<Connection> {
  const module = await loadGlide(settings.logLevel);
  const { name, addresses, tls, connectTimeoutMs } = settings;
  const where = addresses.map(({ host, port }) => `${host}:${port}`).join();
  const isDoubtful = doubtful.has(where);
  doubtful.add(where);
  try {
    if (isDoubtful) await answering(addresses, tls !== undefined, connectTimeoutMs);
    const connection = new GlideConnection(module, await create(module), settings);
    doubtful.delete(where);
    return connection;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectionError(
      `${name} could not be reached: ${message.replaceAll("\n", "")}; see whether it runs, and the location`,
      { cause },
    );
  }
}

/** Opening failed although the server answered: the user may not ask for its role, or its role is a replica's. */
const REACHED = /PermissionDenied|No primary node found/;

/**
 * A client that asks for the server's role when it is opened, as one that does not would be open without any server: a
 * refused port or password would show as commands without answer.
 */
async function openStandalone(module: GlideModule, settings: GlideSettings): Promise<Glide.GlideClient> {
  const { GlideClient, NodeDiscoveryMode } = module;
  const options = common(module, settings);
  try {
    return await GlideClient.createClient({ ...options, nodeDiscoveryMode: NodeDiscoveryMode.Standard });
  } catch (error) {
    if (settings.addresses.length > 1 || !REACHED.test(String(error))) throw error;
    return await GlideClient.createClient({ ...options, nodeDiscoveryMode: NodeDiscoveryMode.Static });
  }
}

function common(
  module: GlideModule,
  settings: GlideSettings,
): Glide.BaseClientConfiguration & Glide.AdvancedGlideClientConfiguration {
  const { username, password, tls, clientAz } = settings;
  return {
    addresses: settings.addresses.map(({ host, port }) => ({ host, port })),
    useTLS: tls !== undefined,
    protocol: settings.protocol === 3 ? module.ProtocolVersion.RESP3 : module.ProtocolVersion.RESP2,
    requestTimeout: settings.commandTimeoutMs,
    inflightRequestsLimit: IN_FLIGHT,
    readFrom: settings.readFrom,
    // A refused port, a wrong password and the like are named at once, and a server that is back is found within 0.05 s.
    connectionBackoff: { numberOfRetries: 1, factor: 20, exponentBase: 2 },
    ...(settings.database === 0 ? {} : { databaseId: settings.database }),
    ...(password === undefined ? {} : { credentials: { password, ...(username === undefined ? {} : { username }) } }),
    ...(clientAz === undefined ? {} : { clientAz }),
    ...{ advancedConfiguration: advanced(settings) },
  };
}

function advanced({ connectTimeoutMs, tls }: GlideSettings): Glide.AdvancedBaseClientConfiguration {
  if (!tls) return { connectionTimeout: connectTimeoutMs };
  return {
    connectionTimeout: connectTimeoutMs,
    tlsAdvancedConfiguration: { insecure: tls.insecure, ...(tls.ca === undefined ? {} : { rootCertificates: tls.ca }) },
  };
}

class GlideConnection implements Connection {
  readonly #module: GlideModule;
  readonly #client: Client;
  readonly #name: string;
  readonly #bytes: Glide.DecoderOption;
  readonly #scripts = new ScriptRunner((commands, options) => this.send(commands, options));
  /** None in a cluster, whose nodes would wait for each other, nor where reads go to replicas, as batches never do. */
  readonly #bunch: Bunch | undefined;
  /** Flights without a reply yet. */
  #underway = 0;
  /** How replies are decoded where text is wanted; bytes once the server is found to hold what is no text. */
  #text: Glide.DecoderOption;

  constructor(module: GlideModule, client: Client, { name, readFrom }: GlideSettings) {
    this.#module = module;
    this.#client = client;
    this.#name = name;
    const alone = client instanceof module.GlideClient && readFrom === "primary";
    const isIdle = (): boolean => this.#underway === 0;
    this.#bunch = alone ? new Bunch(isIdle, (commands, text) => this.#flight(commands, text, false)) : undefined;
    this.#bytes = { decoder: module.Decoder.Bytes };
    this.#text = { decoder: module.Decoder.String };
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    const [first] = commands;
    const text = options?.text === true;
    const atomic = options?.atomic === true;
    if (this.#bunch && first && commands.length === 1 && !atomic && this.#bunch.takes(first)) {
      return this.#bunch.send(first, text);
    }
    this.#bunch?.flush();
    return this.#flight(commands, text, atomic);
  }

  #flight(commands: readonly Command[], text: boolean, atomic: boolean): Promise<Reply[]> {
    const [first] = commands;
    const decoder = text ? this.#text : this.#bytes;
    return first && commands.length === 1 && !atomic
      ? this.#single(first, decoder)
      : this.#batch(commands, atomic, decoder);
  }

  /** Nearly every flight is one: so it is one promise more than GLIDE's own. */
  #single(command: Command, decoder: Glide.DecoderOption): Promise<Reply[]> {
    this.#underway++;
    return this.#client.customCommand(toArguments(command), decoder).then(
      (reply) => {
        this.#underway--;
        const known = toReply(reply, command);
        this.#bunch?.heard(known);
        return [known];
      },
      (error) => {
        this.#underway--;
        return this.#isNoText(error, decoder) ? this.#single(command, this.#bytes) : [this.#inPlace(error)];
      },
    );
  }

  async #batch(commands: readonly Command[], atomic: boolean, decoder: Glide.DecoderOption): Promise<Reply[]> {
    const { Batch, ClusterBatch } = this.#module;
    this.#underway++;
    try {
      const replies = await (this.#client instanceof this.#module.GlideClusterClient
        ? this.#client.exec(fill(new ClusterBatch(atomic), commands), false, decoder)
        : this.#client.exec(fill(new Batch(atomic), commands), false, decoder));
      if (replies === null) throw new ConnectionError(`${this.#name} gave up an atomic flight; repeat it`);
      const known = replies.map((reply, i) =>
        reply instanceof Error ? this.#inPlace(reply) : toReply(reply, commands[i]),
      );
      this.#bunch?.heard(known[0] ?? null);
      return known;
    } catch (error) {
      if (this.#isNoText(error, decoder)) return this.#batch(commands, atomic, this.#bytes);
      if (error instanceof ConnectionError) throw error;
      const known = fromGlide(error, this.#name);
      // What can't be queued aborts the whole, which GLIDE reports by the first refusal alone.
      const aborts = atomic && known instanceof ReplyError && known.code === "ERR";
      throw aborts ? new ReplyError("EXECABORT", known.detail, { cause: known }) : known;
    } finally {
      this.#underway--;
    }
  }

  /** Whether a reply came that is not all text. Who asks for text says that the flight may be repeated. */
  #isNoText(error: unknown, decoder: Glide.DecoderOption): boolean {
    if (decoder === this.#bytes || !isDecodingError(error)) return false;
    this.#text = this.#bytes;
    return true;
  }

  /** @throws {ConnectionError} on what is no answer of the server */
  #inPlace(error: unknown): ReplyError {
    const known = fromGlide(error, this.#name);
    if (known instanceof ConnectionError) throw known;
    return known;
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#scripts.run(script, keys, args, options);
  }

  async *scan({ match, count }: ScanOptions): AsyncIterable<string[]> {
    // GLIDE's cluster scan takes an empty glob, which matches nothing, for none.
    if (match === "") return;
    if (this.#client instanceof this.#module.GlideClusterClient) {
      let cursor = new this.#module.ClusterScanCursor();
      while (!cursor.isFinished()) {
        const [next, keys] = await this.#client
          .scan(cursor, { match, count, ...this.#bytes })
          .catch((error: unknown) => {
            throw fromGlide(error, this.#name);
          });
        cursor = next;
        yield keysOf(keys);
      }
      return;
    }
    // In a batch, which goes to the primary: a cursor is good on one server only, and reads may go to any.
    yield* scanServer((command) => this.#batch([command], false, this.#bytes), match, count);
  }

  status(): ConnectionStatus {
    return { state: "closed", lastError: undefined };
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function fill<B extends Glide.Batch | Glide.ClusterBatch>(batch: B, commands: readonly Command[]): B {
  for (const command of commands) batch.customCommand(toArguments(command));
  return batch;
}

function isDecodingError(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Decoding error");
}
