import type { ListenerAccess, ListenerAddress, ListenerSocket } from "../core/near.js";
import type { Elapsed } from "./elapsed.js";
import { ErrorReply, encode, RespParser, type Value } from "./resp.js";
import type { Source } from "./store.js";

/** What a link is to hear of. */
export interface Interests {
  /** Beginnings of keys, none of which begins with another. Empty where tracking is not wanted. */
  readonly prefixes: readonly string[];
  readonly channels: readonly string[];
}

export interface LinkHandlers {
  /** Keys of one piece of work, with the changes of which the source is not confirmed before all are told. */
  key(key: string): void;
  all(): void;
  message(channel: string, payload: string): void;
  /** A piece of work is done. */
  told(): void;
  /** Whether what is known of the cluster is what its nodes said last. */
  isCurrent(): boolean;
  /** The server is no primary any more, or its cluster has changed. */
  changed(link: Link): void;
  closed(link: Link, error: Error | undefined): void;
}

/** The server refuses what a listener needs. */
export class RefusedError extends Error {
  constructor(
    /** `"tracking"`: CLIENT TRACKING, or the protocol that it needs. `"channel"`: SUBSCRIBE. */
    readonly what: "tracking" | "channel",
    message: string,
  ) {
    super(message);
  }
}

/** What the server says of itself. */
interface Greeting {
  readonly isPrimary: boolean;
  readonly isCluster: boolean;
  /** Its cluster serves requests. */
  readonly isWell: boolean;
}

/** Error replies that end by themselves. */
const PASSING = /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|NOREPLICAS|MISCONF)/;
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
  greeting: Greeting = { isPrimary: true, isCluster: false, isWell: true };
  readonly #access: ListenerAccess;
  readonly #time: Elapsed;
  readonly #handlers: LinkHandlers;
  readonly #parser: RespParser;
  readonly #waiting: ((value: Value) => void)[] = [];
  #socket: ListenerSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPaused = false;
  /** RESP3; without it there is no tracking. */
  #isNew = true;
  #clusterState = "";
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
    this.#parser = new RespParser({
      reply: (value) => this.#waiting.shift()?.(value),
      message: (parts) => this.#onMessage(parts),
      key: (key) => handlers.key(key),
      all: () => handlers.all(),
    });
  }

  /** Connects and logs in. @throws {Error} */
  async open(): Promise<void> {
    const login = await this.#access.login();
    let failed: (error: Error) => void = () => {};
    const failure = new Promise<never>((_resolve, reject) => {
      failed = reject;
    });
    failure.catch(() => {});
    const timer = setTimeout(() => {
      failed(new Error(`no answer within ${this.#access.connectTimeoutMs} ms`));
      this.close();
    }, this.#access.connectTimeoutMs);
    timer.unref?.();
    try {
      const opening = this.#access.open(this.address, {
        data: (bytes) => this.#onData(bytes),
        closed: (error) => {
          failed(error ?? new Error("the connection was closed"));
          this.#close(error);
        },
      });
      opening.then((socket) => this.source.isOver && socket.destroy()).catch(() => {});
      this.#socket = await Promise.race([opening, failure]);
      await Promise.race([this.#greet(login), failure]);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Begins to listen, or listens to something else; what came before is heard of no more. @throws {RefusedError} */
  async listen({ prefixes, channels }: Interests): Promise<void> {
    const startedMs = this.#time.now();
    if (prefixes.length > 0) {
      if (!this.#isNew) throw new RefusedError("tracking", "it does not speak RESP3 (HELLO 3)");
      const names = prefixes.flatMap((prefix) => ["PREFIX", prefix]);
      await this.#demand("tracking", ["CLIENT", "TRACKING", "OFF"], ["CLIENT", "TRACKING", "ON", "BCAST", ...names]);
    }
    this.#parser.expectMessages();
    const wanted = channels.length > 0 || prefixes.length === 0 ? channels : [BOUNDED];
    if (wanted.length > 0) await this.#demand(prefixes.length > 0 ? "tracking" : "channel", ["SUBSCRIBE", ...wanted]);
    this.source.confirmedMs = startedMs;
  }

  /** Asks for something. The reply to what the server refuses is an `ErrorReply`. */
  ask(command: readonly string[]): Promise<Value> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket?.write(encode(command));
    });
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
    const [hello, state] = await Promise.all([
      this.ask(this.#isNew ? ["HELLO", "3"] : ["PING"]),
      this.greeting.isCluster ? this.ask(["CLUSTER", "INFO"]) : "",
    ]);
    this.#askedMs = undefined;
    if (this.source.isOver) return;
    const before = this.#clusterState;
    this.greeting = this.#isNew ? this.#toGreeting(hello, state) : this.greeting;
    const isSame = this.#clusterState === before;
    if (!this.greeting.isPrimary || !isSame) return this.#handlers.changed(this);
    // A node that was cut off from its cluster serves nobody, and another one may have taken its place.
    if (!this.greeting.isWell) return;
    if (doubts === this.#doubts && this.#handlers.isCurrent()) this.source.confirmedMs = askedMs;
  }

  async #greet({
    username = "default",
    password,
  }: {
    readonly username: string | undefined;
    readonly password: string | undefined;
  }): Promise<void> {
    const auth = password === undefined ? [] : ["AUTH", username, password];
    let hello = await this.ask(["HELLO", "3", ...auth]);
    if (hello instanceof ErrorReply) {
      if (/^(?:WRONGPASS|NOAUTH|DENIED|ERR max number)/.test(hello.text)) throw new Error(hello.text);
      // It is older than RESP3, or a proxy.
      this.#isNew = false;
      if (password !== undefined) {
        const old = await this.ask(username === "default" ? ["AUTH", password] : ["AUTH", username, password]);
        if (old instanceof ErrorReply) throw new Error(old.text);
      }
      hello = [];
    }
    this.greeting = this.#toGreeting(hello, "");
    if (this.greeting.isCluster) this.greeting = this.#toGreeting(hello, await this.ask(["CLUSTER", "INFO"]));
  }

  #toGreeting(hello: Value, clusterInfo: Value): Greeting {
    this.#clusterState = clusterState(clusterInfo);
    // A user who may not ask is not told either.
    const isWell = !this.#clusterState.includes("cluster_state:fail");
    return { ...toGreeting(hello), isWell };
  }

  async #demand(what: RefusedError["what"], ...commands: readonly (readonly string[])[]): Promise<void> {
    const replies = await Promise.all(
      commands.map(([name = "", ...args]) =>
        // Each subscription is told of by a message, and only a refusal is a reply.
        name === "SUBSCRIBE" ? this.#subscribe(args) : this.ask([name, ...args]),
      ),
    );
    if (this.source.isOver) throw new Error("the connection was closed");
    const refusal = replies.find((reply) => reply instanceof ErrorReply);
    if (!(refusal instanceof ErrorReply)) return;
    if (PASSING.test(refusal.text)) throw new Error(refusal.text);
    throw new RefusedError(what, refusal.text);
  }

  async #subscribe(channels: readonly string[]): Promise<Value> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#subscribing = { left: channels.length, done: () => this.#waiting.shift()?.(null) };
      this.#socket?.write(encode(["SUBSCRIBE", ...channels]));
    });
  }

  #subscribing: { left: number; readonly done: () => void } | undefined;

  #onMessage([kind, channel, payload]: Value[]): void {
    if (kind === "pong") this.#waiting.shift()?.(payload ?? null);
    else if (kind === "subscribe" && this.#subscribing) {
      if (--this.#subscribing.left > 0) return;
      const { done } = this.#subscribing;
      this.#subscribing = undefined;
      done();
    } else if (kind === "message" && typeof channel === "string" && typeof payload === "string")
      this.#handlers.message(channel, payload);
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
    this.#handlers.told();
    if (isMore && !this.#isPaused) this.#socket?.pause();
    if (!isMore && this.#isPaused) this.#socket?.resume();
    this.#isPaused = isMore;
    if (isMore) setImmediate(() => this.#work());
  }

  #close(error: Error | undefined): void {
    if (this.source.isOver) return;
    this.source.isOver = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    for (const waiting of this.#waiting.splice(0)) waiting(new ErrorReply("the connection was closed"));
    this.#handlers.closed(this, error);
  }
}

/** The reply to HELLO; a primary outside of a cluster where it says nothing. */
function toGreeting(hello: Value): Omit<Greeting, "isWell"> {
  const fields = Array.isArray(hello) ? hello : [];
  const field = (name: string): Value => fields[fields.indexOf(name) + 1] ?? null;
  const role = fields.includes("role") ? field("role") : "master";
  const mode = fields.includes("mode") ? field("mode") : "standalone";
  return { isPrimary: role === "master" || role === "primary", isCluster: mode === "cluster" };
}

/** What of CLUSTER INFO changes with who serves which slot. */
function clusterState(info: Value): string {
  const lines = typeof info === "string" ? info.split(/\r?\n/) : [];
  return lines
    .filter((line) => /^cluster_(?:state|slots_assigned|known_nodes|size|current_epoch|my_epoch):/.test(line))
    .join(" ");
}
