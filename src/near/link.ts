import { atEndOfTurn } from "../core/async.js";
import type { ListenerAccess, ListenerAddress, ListenerSocket } from "../core/near.js";
import type { Elapsed } from "./elapsed.js";
import { HungUpError, passes, RefusedError } from "./refusals.js";
import { ErrorReply, encode, RespParser, type Value } from "./resp.js";
import { type NodeView, toPrimaries, toView } from "./slots.js";
import type { Source } from "./source.js";

/** What a link is to hear of. */
export interface Interests {
  /** Beginnings of keys, none of which begins with another. Empty where tracking is not wanted. */
  readonly prefixes: readonly string[];
  readonly channels: readonly string[];
}

export interface LinkHandlers {
  /** Keys of one piece of work, with the changes of which the source is not confirmed before the batch has ended. */
  key(key: string): void;
  all(): void;
  message(channel: string, payload: string, source: Source): void;
  /** A piece of work is done. */
  batchEnded(): void;
  /** The server is no primary any more, or it says something else of its cluster. */
  changed(link: Link): void;
  closed(link: Link, error: Error | undefined): void;
}

/** What the server says of itself. */
interface Greeting {
  readonly isPrimary: boolean;
  readonly isCluster: boolean;
}

/** A command without a reply. */
interface Waiting {
  readonly resolve: (value: Value) => void;
  /** How many messages there are in the place of its reply, unless it is refused. */
  confirmations: number;
}

const CLOSED = "the connection was closed";
/** The keys and values that are handed on before other work of the process runs: about a millisecond. */
const SLICE = 1_000;
/** This channel exists for clients without RESP3. A subscription of it bounds what the server keeps for a client that does not read. */
const BOUNDED = "__redis__:invalidate";

/**
 * A connection that hears of changes at one server. It speaks RESP3, under which a connection that is subscribed may send
 * any command: its heartbeat is HELLO, which every user may send, and whose reply has the role of the server.
 */
export class Link {
  readonly address: ListenerAddress;
  readonly source: Source;
  greeting: Greeting = { isPrimary: true, isCluster: false };
  /** What the server says of its cluster. */
  view: NodeView = toView(null, null);
  readonly #access: ListenerAccess;
  readonly #time: Elapsed;
  readonly #handlers: LinkHandlers;
  readonly #parser: RespParser;
  readonly #waiting: Waiting[] = [];
  /** The channels that it subscribed to while it listened. */
  readonly #followed = new Set<string>();
  /** Rejects when the connection has ended. */
  readonly #end: Promise<never>;
  #ended: (error: Error) => void = () => {};
  #socket: ListenerSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPaused = false;
  /** RESP3; without it there is no tracking. */
  #isNew = true;
  #isGreeting = false;
  /** PING was answered before HELLO. */
  #isAnswering = false;
  /** Why it is not. */
  #greetingError = "";
  /** When the heartbeat without an answer was sent. */
  #askedMs: number | undefined;

  /** @param generation of the interests that it will listen to */
  constructor(
    access: ListenerAccess,
    address: ListenerAddress,
    time: Elapsed,
    generation: number,
    handlers: LinkHandlers,
  ) {
    this.source = { confirmedMs: Number.NEGATIVE_INFINITY, generation, isOver: false };
    this.#access = access;
    this.address = address;
    this.#time = time;
    this.#handlers = handlers;
    this.#end = new Promise((_resolve, reject) => {
      this.#ended = reject;
    });
    this.#end.catch(() => {});
    this.#parser = new RespParser({
      reply: (value) => this.#waiting.shift()?.resolve(value),
      message: (parts) => this.#onMessage(parts),
      key: (key) => handlers.key(key),
      all: () => handlers.all(),
    });
  }

  /**
   * Connects and logs in.
   * @param pings sends PING before HELLO, which distinguishes a server that is gone from one that refuses HELLO
   * @throws {Error}
   */
  open(pings: boolean): Promise<void> {
    return this.#inTime(async () => {
      const login = await this.#access.login();
      const socket = await this.#access.open(this.address, {
        data: (bytes) => this.#onData(bytes),
        closed: (error) => this.#close(error),
      });
      if (this.source.isOver) return socket.destroy();
      this.#socket = socket;
      if (pings) await this.#ask(["PING"]);
      this.#isAnswering = pings && !this.source.isOver;
      await this.#greet(login);
    });
  }

  /** Begins to listen. @throws {RefusedError} @throws {Error} */
  listen({ prefixes, channels }: Interests): Promise<void> {
    return this.#inTime(async () => {
      const startedMs = this.#time.now();
      if (prefixes.length > 0) {
        if (!this.#isNew) throw new RefusedError("tracking", ["HELLO", "3"], this.#greetingError);
        const names = prefixes.flatMap((prefix) => ["PREFIX", prefix]);
        await this.#demand("tracking", ["CLIENT", "TRACKING", "ON", "BCAST", ...names]);
      }
      // Before any entry is kept: the near cache has to send such messages. This one names the empty key.
      if (channels[0] !== undefined) await this.#demand("channel", ["PUBLISH", channels[0], '[""]']);
      this.#parser.expectMessages();
      const wanted = channels.length > 0 || prefixes.length === 0 ? channels : [BOUNDED];
      const what = prefixes.length > 0 ? "tracking" : "channel";
      if (wanted.length > 0) await this.#demand(what, ["SUBSCRIBE", ...wanted]);
      if (this.greeting.isCluster && prefixes.length > 0) await this.#look();
      this.source.confirmedMs = startedMs;
    });
  }

  /** Asks what it says of its cluster, then and with each heartbeat. @throws {RefusedError} @throws {Error} */
  look(): Promise<void> {
    return this.#inTime(() => this.#look());
  }

  /** The primaries of its cluster, as far as it knows. @throws {RefusedError} @throws {Error} */
  primaries(): Promise<readonly ListenerAddress[]> {
    return this.#inTime(async () => {
      const slots = await this.#demand("tracking", ["CLUSTER", "SLOTS"]);
      return toPrimaries(slots, "path" in this.address ? "" : this.address.host);
    });
  }

  /** The connection ends when this fails, or has no result in time. */
  async #inTime<T>(work: () => Promise<T>): Promise<T> {
    const { connectTimeoutMs } = this.#access;
    const late = (): void => {
      this.#isGreeting = false;
      this.#close(new Error(`no answer within ${connectTimeoutMs} ms`));
    };
    const timer = setTimeout(late, connectTimeoutMs);
    timer.unref?.();
    try {
      return await Promise.race([this.#end, work()]);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The reply to what the server refuses is an `ErrorReply`. */
  #ask([name = "", ...args]: readonly string[]): Promise<Value> {
    // Each subscription is confirmed by a message, and only a refusal is a reply.
    const confirmations = name === "SUBSCRIBE" ? args.length : 0;
    return new Promise((resolve) => {
      this.#waiting.push({ resolve, confirmations });
      this.#socket?.write(encode([name, ...args]));
    });
  }

  /** Hears of what is published on a channel as well, if the server allows it. */
  follow(channel: string): void {
    if (this.source.isOver || this.#followed.has(channel)) return;
    this.#followed.add(channel);
    void this.#ask(["SUBSCRIBE", channel]);
  }

  /** Asks every `everyMs` whether the server is there and what it is. It ends the connection after `limitMs` without an answer. */
  keepAlive(everyMs: number, limitMs: number): void {
    clearTimeout(this.#timer);
    if (this.source.isOver) return;
    this.#timer = setTimeout(() => {
      if (this.#askedMs === undefined) void this.#beat();
      else if (this.#time.now() - this.#askedMs > limitMs) return this.#close(new Error("no answer to a heartbeat"));
      this.keepAlive(everyMs, limitMs);
    }, everyMs);
    this.#timer.unref?.();
  }

  /** What it heard of is not proved any more, until the server has answered again. */
  doubt(): void {
    this.source.confirmedMs = Number.NEGATIVE_INFINITY;
    this.#doubts++;
  }

  #doubts = 0;

  close(): void {
    this.#close(undefined);
  }

  async #beat(): Promise<void> {
    const askedMs = this.#time.now();
    const doubts = this.#doubts;
    this.#askedMs = askedMs;
    const { text } = this.view;
    const [hello, info, nodes] = await Promise.all([
      this.#ask(this.#isNew ? ["HELLO", "3"] : ["PING"]),
      text === "" ? null : this.#ask(["CLUSTER", "INFO"]),
      text === "" ? null : this.#ask(["CLUSTER", "NODES"]),
    ]);
    this.#askedMs = undefined;
    if (this.source.isOver) return;
    if (this.#isNew) this.greeting = toGreeting(hello);
    this.view = toView(info, nodes);
    if (!this.greeting.isPrimary || this.view.text !== text) this.#handlers.changed(this);
    if (doubts === this.#doubts) this.source.confirmedMs = askedMs;
  }

  async #look(): Promise<void> {
    const names = ["INFO", "NODES"];
    const [info = null, nodes = null] = await Promise.all(
      names.map((name) => this.#demand("tracking", ["CLUSTER", name])),
    );
    this.view = toView(info, nodes);
  }

  async #greet({
    username = "default",
    password,
  }: {
    readonly username: string | undefined;
    readonly password: string | undefined;
  }): Promise<void> {
    const auth = password === undefined ? [] : ["AUTH", username, password];
    this.#isGreeting = true;
    let hello = await this.#ask(["HELLO", "3", ...auth]);
    this.#isGreeting = false;
    if (hello instanceof ErrorReply) {
      if (passes(hello.text)) throw new Error(hello.text);
      // It is older than RESP3, or a proxy.
      this.#isNew = false;
      this.#greetingError = hello.text;
      if (password !== undefined) {
        const old = await this.#ask(username === "default" ? ["AUTH", password] : ["AUTH", username, password]);
        if (old instanceof ErrorReply) throw new Error(old.text);
      }
      hello = [];
    }
    this.greeting = toGreeting(hello);
  }

  /** @returns the reply @throws {RefusedError} @throws {Error} where the error passes by itself */
  async #demand(what: RefusedError["what"], command: readonly string[]): Promise<Value> {
    const reply = await this.#ask(command);
    if (!(reply instanceof ErrorReply)) return reply;
    if (this.source.isOver || passes(reply.text)) throw new Error(reply.text);
    throw new RefusedError(what, command, reply.text);
  }

  #onMessage([kind, channel, payload]: Value[]): void {
    const [waiting] = this.#waiting;
    if (kind === "pong") this.#waiting.shift()?.resolve(payload ?? null);
    else if (kind === "subscribe" && waiting && waiting.confirmations > 0) {
      if (--waiting.confirmations === 0) this.#waiting.shift()?.resolve(null);
    } else if (kind === "message" && typeof channel === "string" && typeof payload === "string")
      this.#handlers.message(channel, payload, this.source);
  }

  #onData(bytes: Uint8Array): void {
    if (this.source.isOver) return;
    this.#parser.add(bytes);
    if (!this.#isPaused) this.#work();
  }

  /** Works on what has come. While there is more, nothing new is read, and other work of the process runs in between. */
  #work(): void {
    if (this.source.isOver) return;
    let isMore = false;
    try {
      isMore = this.#parser.run(SLICE);
    } catch (error) {
      this.#close(error instanceof Error ? error : undefined);
      return;
    }
    this.#handlers.batchEnded();
    if (isMore && !this.#isPaused) this.#socket?.pause();
    if (!isMore && this.#isPaused) this.#socket?.resume();
    this.#isPaused = isMore;
    if (isMore) atEndOfTurn(() => this.#work());
  }

  #close(error: Error | undefined): void {
    if (this.source.isOver) return;
    this.source.isOver = true;
    this.#ended(this.#isGreeting ? new HungUpError(CLOSED, this.#isAnswering) : (error ?? new Error(CLOSED)));
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    for (const { resolve } of this.#waiting.splice(0)) resolve(new ErrorReply(CLOSED));
    this.#handlers.closed(this, error);
  }
}

/** The reply to HELLO; a primary outside of a cluster where it says nothing. */
function toGreeting(hello: Value): Greeting {
  const fields = Array.isArray(hello) ? hello : [];
  const field = (name: string): Value => fields[fields.indexOf(name) + 1] ?? null;
  const role = fields.includes("role") ? field("role") : "master";
  const mode = fields.includes("mode") ? field("mode") : "standalone";
  return { isPrimary: role === "master" || role === "primary", isCluster: mode === "cluster" };
}

/** Equal for equal addresses. */
export function nameOf(address: ListenerAddress): string {
  return "path" in address ? address.path : `${address.host}:${address.port}`;
}
