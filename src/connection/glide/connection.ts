import { refusedCommand } from "../../core/availability.js";
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
import { toBytes, toText } from "../../core/text.js";
import { omitted } from "../client-info.js";
import type { ReadFrom } from "../options.js";
import { keysOf, ScriptRunner, scanServer } from "../server-commands.js";
import { AutoPipeline } from "./auto-pipeline.js";
import { fromGlide, toArguments, toReply } from "./conversion.js";
import type { Glide, GlideModule } from "./module.js";
import { isUnable, READS, Replicas } from "./replicas.js";

type Client = Glide.GlideClient | Glide.GlideClusterClient;

export interface GlideConnectionOptions {
  /** The server, for messages. */
  readonly name: string;
  readonly readFrom: ReadFrom;
  readonly commandTimeoutMs: number;
}

/** A connection over an open GLIDE client. It converts commands and replies, and pipelines concurrent commands. */
export class GlideConnection implements Connection {
  readonly #module: GlideModule;
  readonly #client: Client;
  /** Answers single reads, if they go to replicas. */
  readonly #reader: Glide.GlideClient | undefined;
  readonly #readsReplicas: boolean;
  readonly #replicas: Replicas;
  #isClosed = false;
  readonly #close: () => void;
  /** Called when it is closed. */
  onClose: (() => void) | undefined;
  readonly #name: string;
  readonly #commandTimeoutMs: number;
  readonly #bytes: Glide.DecoderOption;
  readonly #scripts: ScriptRunner;
  /** `undefined` in a cluster, where nodes would wait for each other, and with replicas, to which GLIDE sends no batches. */
  readonly #pipeline: AutoPipeline | undefined;
  /** Round trips in progress. */
  #pending = 0;
  /** The decoder for callers that accept text. It becomes the bytes decoder once a reply was not UTF-8. */
  #text: Glide.DecoderOption;

  constructor(
    module: GlideModule,
    { name, readFrom, commandTimeoutMs }: GlideConnectionOptions,
    client: Client,
    { reader, close }: { readonly reader: Glide.GlideClient | undefined; readonly close: () => void },
  ) {
    this.#module = module;
    this.#client = client;
    this.#reader = reader;
    this.#readsReplicas =
      reader !== undefined || (readFrom !== "primary" && client instanceof module.GlideClusterClient);
    this.#replicas = new Replicas(commandTimeoutMs, reader !== undefined);
    this.#close = close;
    this.#name = name;
    this.#commandTimeoutMs = commandTimeoutMs;
    const alone = client instanceof module.GlideClient && readFrom === "primary";
    this.#pipeline = alone ? new AutoPipeline((commands, text) => this.#roundTrip(commands, text, false)) : undefined;
    const send: Connection["send"] = (commands, sendOptions) => this.send(commands, sendOptions);
    this.#scripts =
      client instanceof module.GlideClusterClient ? new ClusterScriptRunner(send, client) : new ScriptRunner(send);
    this.#bytes = { decoder: module.Decoder.Bytes };
    this.#text = { decoder: module.Decoder.String };
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    const [first] = commands;
    const text = options?.text === true;
    const atomic = options?.atomic === true;
    // A lone caller gains nothing from waiting for others.
    if (this.#pending > 0 && first && !atomic && this.#pipeline?.accepts(commands)) {
      return this.#pipeline.send(commands, text);
    }
    if (!first || commands.length > 1 || atomic) {
      this.#pipeline?.flush();
      const isRead = !atomic && commands.every(([name]) => READS.test(name));
      if (options?.primary && this.#readsReplicas && !this.#reader && isRead)
        return this.#readAllAtPrimary(commands, text);
      const reads = this.#readsReplicas && !this.#reader && isRead;
      return reads ? this.#readMany(commands, text) : this.#roundTrip(commands, text, atomic);
    }
    this.#pipeline?.flush();
    const decoder = text ? this.#text : this.#bytes;
    const reads = this.#readsReplicas && READS.test(first[0]);
    if (reads && options?.primary) return this.#readPrimary(first, decoder);
    return reads ? this.#read(first, decoder) : this.#single(first, decoder, this.#client);
  }

  /** Reads at a replica, and once more at the primary where the replica can't answer. The round trip's deadline covers both. */
  async #read(command: Command, decoder: Glide.DecoderOption): Promise<Reply[]> {
    if (!this.#replicas.areTried()) return this.#readPrimary(command, decoder);
    const reading = this.#single(command, decoder, this.#reader ?? this.#client);
    const [reply] = await this.#replicas.replies(reading, () => this.#isClosed);
    return reply === undefined || isUnable(reply) ? this.#readPrimary(command, decoder) : [reply];
  }

  /** In a cluster that reads at replicas, where only single commands can be sent to a primary. */
  async #readAllAtPrimary(commands: readonly Command[], text: boolean): Promise<Reply[]> {
    const decoder = text ? this.#text : this.#bytes;
    return (await Promise.all(commands.map((command) => this.#readPrimary(command, decoder)))).flat();
  }

  /** As `#read`, for a batch in a cluster. */
  async #readMany(commands: readonly Command[], text: boolean): Promise<Reply[]> {
    const decoder = text ? this.#text : this.#bytes;
    const replies = this.#replicas.areTried()
      ? await this.#replicas.replies(this.#batch(commands, false, decoder), () => this.#isClosed)
      : [];
    const read = async (command: Command, i: number): Promise<Reply> => {
      const reply = replies[i];
      if (reply !== undefined && !isUnable(reply)) return reply;
      const [again = null] = await this.#readPrimary(command, decoder);
      return again;
    };
    return Promise.all(commands.map(read));
  }

  async #readPrimary(command: Command, decoder: Glide.DecoderOption): Promise<Reply[]> {
    if (this.#reader) return this.#single(command, decoder, this.#client);
    const [name, ...keys] = command;
    if (name.toUpperCase() !== "MGET") return this.#single(command, decoder, this.#client, keys[0]);
    // The keys of one MGET may be in several slots.
    const reads = await Promise.all(keys.map((key) => this.#single(["GET", key], decoder, this.#client, key)));
    return [reads.map(([reply = null]) => reply)];
  }

  #roundTrip(commands: readonly Command[], text: boolean, atomic: boolean): Promise<Reply[]> {
    const [first] = commands;
    const decoder = text ? this.#text : this.#bytes;
    return first && commands.length === 1 && !atomic
      ? this.#single(first, decoder, this.#client)
      : this.#batch(commands, atomic, decoder);
  }

  /** Sends one command, as nearly every round trip does. It adds one promise to GLIDE's own. */
  #single(command: Command, decoder: Glide.DecoderOption, client: Client, atPrimaryOf?: Argument): Promise<Reply[]> {
    this.#pending++;
    const options =
      atPrimaryOf === undefined
        ? decoder
        : { ...decoder, route: { type: "primarySlotKey", key: toText(toBytes(atPrimaryOf)) } as const };
    return client.customCommand(toArguments(command), options).then(
      (reply) => {
        this.#pending--;
        const converted = toReply(reply, command);
        this.#pipeline?.recordReply(converted);
        return [converted];
      },
      (error) => {
        this.#pending--;
        return this.#wasNotText(error, decoder)
          ? this.#single(command, this.#bytes, client, atPrimaryOf)
          : [this.#toReplyError(error)];
      },
    );
  }

  async #batch(commands: readonly Command[], atomic: boolean, decoder: Glide.DecoderOption): Promise<Reply[]> {
    const { Batch, ClusterBatch } = this.#module;
    this.#pending++;
    try {
      const replies = await (this.#client instanceof this.#module.GlideClusterClient
        ? this.#client.exec(fill(new ClusterBatch(atomic), commands), false, decoder)
        : this.#client.exec(fill(new Batch(atomic), commands), false, decoder));
      if (replies === null) throw new ConnectionError(`${this.#name} aborted an atomic batch; retry it`);
      const converted = replies.map((reply, i) =>
        reply instanceof Error ? this.#toReplyError(reply) : toReply(reply, commands[i]),
      );
      this.#pipeline?.recordReply(converted[0] ?? null);
      return converted;
    } catch (error) {
      if (this.#wasNotText(error, decoder)) return this.#batch(commands, atomic, this.#bytes);
      if (error instanceof ConnectionError) throw error;
      const known = fromGlide(error, this.#name);
      // A command that can't be queued aborts the whole batch. GLIDE reports only the first refusal.
      const aborts = atomic && known instanceof ReplyError && known.code === "ERR";
      throw aborts ? new ReplyError("EXECABORT", known.detail, { cause: known }) : known;
    } finally {
      this.#pending--;
    }
  }

  /** Whether a reply was not UTF-8. A retry is safe, as callers that accept text allow it. */
  #wasNotText(error: unknown, decoder: Glide.DecoderOption): boolean {
    if (decoder === this.#bytes || !isDecodingError(error)) return false;
    this.#text = this.#bytes;
    return true;
  }

  /** @throws {ConnectionError} when the error is not a reply of the server */
  #toReplyError(error: unknown): ReplyError {
    const known = fromGlide(error, this.#name);
    if (known instanceof ConnectionError) throw known;
    return known;
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#scripts.run(script, keys, args, options);
  }

  async *scan({ match, count }: ScanOptions): AsyncIterable<string[]> {
    // An empty glob matches nothing, but GLIDE's cluster scan takes it for no glob at all.
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
    // A cursor is valid on one server only. Single reads may go to any server, but a batch goes to the primary.
    yield* scanServer((command) => this.#batch([command], false, this.#bytes), match, count);
  }

  status(): ConnectionStatus {
    const status = {
      state: "closed",
      lastError: undefined,
      transport: "valkey-glide",
      ...omitted(this.#name),
    } as const;
    if (!(this.#scripts instanceof ClusterScriptRunner && this.#scripts.refusesLoading)) return status;
    return { ...status, unavailable: [...(status.unavailable ?? []), "SCRIPT LOAD"] };
  }

  /** Commands in progress fail at once. GLIDE may still reconnect for them until their deadline, so this waits for it. */
  async close(): Promise<void> {
    const hasPending = this.#pending > 0;
    this.onClose?.();
    this.#isClosed = true;
    this.#close();
    if (hasPending) await new Promise<void>((resolve) => setTimeout(resolve, this.#commandTimeoutMs));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** In a cluster the source of a script is sent until every node has it. */
class ClusterScriptRunner extends ScriptRunner {
  readonly #client: Glide.GlideClusterClient;
  readonly #loading = new WeakSet<Script>();
  /** Whether this user may not load scripts. */
  refusesLoading = false;

  constructor(send: Connection["send"], client: Glide.GlideClusterClient) {
    super(send);
    this.#client = client;
  }

  protected override wasSent(script: Script, keep: () => void): void {
    // Without a load the digest is sent all the same, and the source on NOSCRIPT: that is once for each node.
    if (this.refusesLoading) keep();
    if (this.refusesLoading || this.#loading.has(script)) return;
    this.#loading.add(script);
    const over = (): void => void this.#loading.delete(script);
    const failed = (error: unknown): void => {
      const reply = fromGlide(error, "");
      if (!(reply instanceof ReplyError)) return;
      this.refusesLoading = refusedCommand(reply) !== undefined;
      keep();
    };
    const load = this.#client.customCommand(["SCRIPT", "LOAD", script.lua], { route: "allPrimaries" });
    load.then(keep, failed).then(over, over);
  }
}

export function fill<B extends Glide.Batch | Glide.ClusterBatch>(batch: B, commands: readonly Command[]): B {
  for (const command of commands) batch.customCommand(toArguments(command));
  return batch;
}

function isDecodingError(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Decoding error");
}
