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
import { ConnectionError, ReplyError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import type { Until } from "../endings.js";
import { keysOf, ScriptRunner, scanServer } from "../server-commands.js";
import { Bunch } from "./auto-pipeline.js";
import { fromGlide, toArguments, toReply } from "./conversion.js";
import { type DialSettings, dialGlide, type Opener } from "./dial.js";
import { type Glide, type GlideModule, loadGlide } from "./module.js";

type Client = Glide.GlideClient | Glide.GlideClusterClient;

/** How much GLIDE's native side writes to standard output. */
export type GlideLogLevel = "off" | "error" | "warn" | "info" | "debug";

/** What GLIDE is opened with: plain data, so that equal settings are recognised as such. */
export interface GlideSettings extends DialSettings {
  readonly protocol: 2 | 3;
  readonly commandTimeoutMs: number;
  readonly clientAz: string | undefined;
  readonly logLevel: GlideLogLevel;
}

/** GLIDE rejects flights over this number instead of queueing them; the deadline bounds how many there can be. */
const IN_FLIGHT = 1_000_000;

/**
 * How GLIDE mends a connection that was lost while no call was made: at once, after 0.1 s, and then each 0.58 s, so at most
 * 60 times in 30 s, and in time for a call that finds it waiting. With more retries a client that can't connect could not
 * be closed as soon.
 */
const BACKOFF = { numberOfRetries: 2, factor: 16, exponentBase: 6, jitterPercent: 10 };
/** The same in a cluster, where GLIDE opens two connections at a time to a node that is lost. */
const CLUSTER_BACKOFF = { numberOfRetries: 1, factor: 600, exponentBase: 2 };
/** No TCP connection goes to this address: systems refuse to try, and nothing leaves the machine. */
const NOWHERE: [string, number] = ["255.255.255.255", 1];

/** What replicas are asked: cursors and the state of a server are not the same on all of them. */
const READS =
  /^(?:EXISTS|GET|GETBIT|GETRANGE|[HP]?EXPIRETIME|H(?:EXISTS|GET|GETALL|KEYS|LEN|MGET|STRLEN|VALS)|L(?:INDEX|LEN|POS|RANGE)|MGET|P?TTL|S(?:CARD|DIFF|INTER|INTERCARD|ISMEMBER|MEMBERS|MISMEMBER|RANDMEMBER|TRLEN|UNION)|TYPE|Z(?:CARD|COUNT|RANGE|RANK|SCORE))$/i;

/** Opens a client. @throws {ConnectionError} @throws {GlideMissingError} */
export async function openGlide(settings: GlideSettings, until: Until): Promise<Connection> {
  const module = await loadGlide(settings.logLevel);
  if (settings.cluster) return openCluster(module, settings, until);
  const opener = standalone(module, { ...settings, readFrom: "primary" });
  const { client, replicas, isWhole } = await dialGlide(settings, until, opener);
  const reader = replicas.length === 0 ? undefined : await openReader(module, settings, replicas, isWhole);
  const close = (): void => {
    client.close();
    reader?.close();
  };
  return new GlideConnection(module, settings, client, { reader, close });
}

/**
 * A cluster client that has lost its nodes looks for them for as long as the process lives, also when it was closed. But it
 * asks for the address of a node each time; as long as the answer is the same, TLS has the same server name.
 */
async function openCluster(module: GlideModule, settings: GlideSettings, until: Until): Promise<Connection> {
  const create = async () => {
    let isClosed = false;
    const addressResolver = (host: string, port: number) =>
      isClosed ? NOWHERE : ([host, port] satisfies typeof NOWHERE);
    const options = { ...common(module, settings), addressResolver };
    const client = await module.GlideClusterClient.createClient(options);
    const close = (): void => {
      isClosed = true;
      client.close();
    };
    return { client, close };
  };
  const { client } = await dialGlide(settings, until, { create, ping: undefined });
  return new GlideConnection(module, settings, client.client, { reader: undefined, close: client.close });
}

function standalone(module: GlideModule, settings: GlideSettings): Opener<Glide.GlideClient> {
  const { Batch, GlideClient, NodeDiscoveryMode } = module;
  return {
    create: (addresses) =>
      GlideClient.createClient({
        ...common(module, { ...settings, addresses }),
        nodeDiscoveryMode: NodeDiscoveryMode.Static,
      }),
    async ping(client, timeout) {
      const replies = await client.exec(new Batch(false).customCommand(["PING"]), false, { timeout });
      const error = replies?.find((reply) => reply instanceof Error);
      if (error) throw error;
    },
  };
}

/**
 * A client for reads beside the primary's own: a static client of several servers takes the one that connects first for the
 * primary. `undefined` when it gets no connection, so that the primary answers reads, too.
 */
async function openReader(
  module: GlideModule,
  settings: GlideSettings,
  replicas: readonly Address[],
  isWhole: boolean,
): Promise<Glide.GlideClient | undefined> {
  const { addresses, readFrom, connectTimeoutMs } = settings;
  // GLIDE waits for all of them, and finds those that are down once they are back.
  const timeoutMs = isWhole ? connectTimeoutMs : Math.ceil(connectTimeoutMs / 4);
  const opener = standalone(module, {
    ...settings,
    connectTimeoutMs: timeoutMs,
    readFrom: readFrom === "preferReplica" ? "allNodes" : readFrom,
  });
  const readsPrimary = readFrom === "allNodes" || readFrom === "AZAffinityReplicasAndPrimary";
  const client = await opener.create(readsPrimary ? addresses : replicas);
  try {
    await opener.ping?.(client, timeoutMs);
    return client;
  } catch (error) {
    if (fromGlide(error, settings.name) instanceof ReplyError) return client;
    client.close();
    return undefined;
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
    connectionBackoff: settings.cluster ? CLUSTER_BACKOFF : BACKOFF,
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
  /** Takes single reads, where they go to replicas. */
  readonly #reader: Glide.GlideClient | undefined;
  readonly #close: () => void;
  readonly #name: string;
  readonly #commandTimeoutMs: number;
  readonly #bytes: Glide.DecoderOption;
  readonly #scripts = new ScriptRunner((commands, options) => this.send(commands, options));
  /** None in a cluster, whose nodes would wait for each other, nor where reads go to replicas, as batches never do. */
  readonly #bunch: Bunch | undefined;
  /** Flights without a reply yet. */
  #underway = 0;
  /** How replies are decoded where text is wanted; bytes once the server is found to hold what is no text. */
  #text: Glide.DecoderOption;

  constructor(
    module: GlideModule,
    { name, readFrom, commandTimeoutMs }: GlideSettings,
    client: Client,
    { reader, close }: { readonly reader: Glide.GlideClient | undefined; readonly close: () => void },
  ) {
    this.#module = module;
    this.#client = client;
    this.#reader = reader;
    this.#close = close;
    this.#name = name;
    this.#commandTimeoutMs = commandTimeoutMs;
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
    if (first && commands.length === 1 && !atomic) {
      if (this.#bunch?.takes(first)) return this.#bunch.send(first, text);
      if (this.#reader && READS.test(first[0]))
        return this.#single(first, text ? this.#text : this.#bytes, this.#reader);
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
  #single(command: Command, decoder: Glide.DecoderOption, client: Client = this.#client): Promise<Reply[]> {
    this.#underway++;
    return client.customCommand(toArguments(command), decoder).then(
      (reply) => {
        this.#underway--;
        const known = toReply(reply, command);
        this.#bunch?.heard(known);
        return [known];
      },
      (error) => {
        this.#underway--;
        return this.#isNoText(error, decoder) ? this.#single(command, this.#bytes, client) : [this.#inPlace(error)];
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

  /** What is under way fails at once; GLIDE goes on with it, and may connect again for it, until its deadline. */
  async close(): Promise<void> {
    const isUnderway = this.#underway > 0;
    this.#close();
    if (isUnderway) await new Promise<void>((resolve) => setTimeout(resolve, this.#commandTimeoutMs));
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
