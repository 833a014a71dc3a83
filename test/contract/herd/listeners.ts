import type { Connection, ConnectionFactory } from "../../../src/core/connection.js";
import { ReplyError } from "../../../src/core/errors.js";
import type { ListenerAccess, ListenerSocket } from "../../../src/core/near.js";
import { deferred } from "../../support/deferred.js";

/** One listener: whether it listens, and which texts are waited for. */
class Listener {
  /** The texts that it has not received yet. */
  readonly #awaited = new Map<string, () => void>();
  #received = "";
  #isSubscribing = false;
  isListening = false;
  /** Called when data arrives: the answer to what was written last. */
  answered: (() => void) | undefined;

  onWrite(text: string): void {
    this.#isSubscribing ||= text.includes("SUBSCRIBE");
  }

  onData(bytes: Uint8Array): void {
    this.isListening ||= this.#isSubscribing;
    this.#received = (this.#received + Buffer.from(bytes).toString("latin1")).slice(-10_000);
    for (const [text, heard] of this.#awaited) if (this.#received.includes(text)) heard();
    this.answered?.();
  }

  onClosed(): void {
    this.isListening = false;
    for (const heard of this.#awaited.values()) heard();
    this.answered?.();
  }

  hears(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited.set(text, () => {
        this.#awaited.delete(text);
        resolve();
      });
    });
  }
}

/**
 * The listeners of the near caches of a fleet, one for each cache, as each stands for a process. A command ends when all
 * listeners have received the invalidations of what it wrote. Faked time waits for handshakes and heartbeats. So tests
 * don't depend on how fast invalidations travel.
 */
export class Listeners {
  readonly #listeners = new Set<Listener>();
  readonly #keyPrefix: string;
  readonly #underway: Set<Promise<unknown>>;
  #written = 0;

  /**
   * @param keyPrefix of the caches, to which they listen
   * @param underway gets what faked time waits for
   */
  constructor(keyPrefix: string, underway: Set<Promise<unknown>>) {
    this.#keyPrefix = keyPrefix;
    this.#underway = underway;
  }

  /** A factory whose commands end when all listeners have received what they invalidate. */
  heard(factory: ConnectionFactory): ConnectionFactory {
    return {
      shares: factory.shares,
      connect: (location, invocation) => this.#heard(factory.connect(location, invocation)),
    };
  }

  /** A factory with the commands of `inner` and the listener of `factory`. */
  listening(inner: ConnectionFactory, factory: ConnectionFactory): ConnectionFactory {
    return {
      shares: inner.shares,
      connect: (location, invocation) => inner.connect(location, invocation),
      listener: (location) => {
        const access = factory.listener?.(location);
        return typeof access === "object" ? this.#own(access) : access;
      },
    };
  }

  #own(access: ListenerAccess): ListenerAccess {
    return {
      ...access,
      // Caches of one process share the listener of a key.
      key: `${access.key} ${crypto.randomUUID()}`,
      open: (address, handlers) => {
        const listener = new Listener();
        const opening = access.open(address, {
          data: (bytes) => {
            handlers.data(bytes);
            listener.onData(bytes);
          },
          closed: (error) => {
            this.#listeners.delete(listener);
            listener.onClosed();
            handlers.closed(error);
          },
        });
        this.#waitFor(opening);
        return opening.then((socket) => this.#watch(listener, socket));
      },
    };
  }

  #watch(listener: Listener, socket: ListenerSocket): ListenerSocket {
    this.#listeners.add(listener);
    return {
      write: (text) => {
        const answer = deferred();
        listener.answered = answer.resolve;
        this.#waitFor(answer.promise);
        listener.onWrite(text);
        socket.write(text);
      },
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroy: () => {
        this.#listeners.delete(listener);
        listener.onClosed();
        socket.destroy();
      },
    };
  }

  #waitFor(work: Promise<unknown>): void {
    this.#underway.add(work);
    const done = (): void => void this.#underway.delete(work);
    work.then(done, done);
  }

  #heard(inner: Connection): Connection {
    const heard = async (): Promise<void> => {
      const listening = [...this.#listeners].filter(({ isListening }) => isListening);
      if (listening.length === 0) return;
      const key = `${this.#keyPrefix}:1:heard:${++this.#written}:`;
      const all = Promise.all(listening.map((one) => one.hears(key)));
      // Invalidations arrive in order, so this one comes after those of the command. None comes where the store fails.
      const written = inner.send([["EVAL", "redis.call('SET', KEYS[1], '') redis.call('DEL', KEYS[1])", "1", key]]);
      await written.then(
        ([reply]) => (reply instanceof ReplyError ? undefined : all),
        () => {},
      );
    };
    return {
      send: async (commands, options) => {
        const replies = await inner.send(commands, options);
        if (!options?.readOnly) await heard();
        return replies;
      },
      script: async (script, keys, args, options) => {
        const reply = await inner.script(script, keys, args, options);
        if (!options?.readOnly) await heard();
        return reply;
      },
      scan: (options) => inner.scan(options),
      status: () => inner.status(),
      close: () => inner.close(),
      [Symbol.asyncDispose]: () => inner.close(),
    };
  }
}
