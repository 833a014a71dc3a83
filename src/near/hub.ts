import { registered } from "../connection/registry.js";
import type { ListenerAccess, LogReader } from "../core/near.js";
import { keepsRequestsApart } from "../core/runtime.js";
import type { Writes } from "./commands.js";
import { Elapsed } from "./elapsed.js";
import type { Feed } from "./feed.js";
import type { Listening, ListeningHandlers, LoadListening } from "./listening.js";
import type { RefusedError } from "./refusals.js";
import type { Source } from "./source.js";

/** The near cache of one cache, as its hub sees it. */
export interface Member {
  readonly prefix: string;
  /** How it wants to hear of changes now. */
  readonly wants: "tracking" | "channel" | "nothing";
  readonly channel: string;
  readonly maxStalenessMs: number;
  /** Whether it has an open connection. */
  readonly isOpen: boolean;
  /** Whether its commands go to a primary, as far as the server reports it. @throws {ConnectionError} */
  isPrimary(): Promise<boolean>;
  /** Its commands may go to a server that was replaced. */
  replaceConnections(): void;
  /** From which generation of links on what it wants is heard; `undefined` while nothing listens for it. */
  generation: number | undefined;
  /** Writes of this process begin, or have ended. */
  beginWrite(writes: Writes): void;
  endWrite(writes: Writes): void;
  /** An entry has changed. */
  dropKey(key: string): void;
  /** What was published of a log. It comes before the notification of that change. */
  hear(key: string, message: string, source: Source): void;
  /** Any entry may have changed. */
  dropAll(): void;
  /** A batch of changes has ended: the event of what was dropped is emitted. */
  batchEnded(): void;
  /** It hears of changes now, or not any more. */
  listeningChanged(): void;
  refused(refusal: RefusedError): void;
  /** It could not listen for a while. */
  failed(error: Error): void;
}

const FOLLOW_MS = 1_000;

/** What the near caches of a process share that use one server: its listeners, and which of them a write concerns. */
export class Hub {
  readonly time = new Elapsed(() => this.#onStepBack());
  #listening: Listening | undefined;
  #loading: Promise<void> | undefined;
  #isVerifying = false;
  #followedMs = 0;
  /** What it listens to. */
  #wanted = "";
  /** The near caches that may hold entries, held weakly, so that an unreferenced cache can be collected. */
  readonly #members = new Set<WeakRef<Member>>();
  /** Called when a near cache was collected. Workers' older runtimes lack it, and don't listen. */
  readonly #forgotten =
    typeof FinalizationRegistry === "function" ? new FinalizationRegistry<void>(() => this.#stopUnwanted()) : undefined;

  /** The hub of a server, for all caches and all copies of this library in the process. @param key the server */
  static of(key: string): Hub {
    return registered(`near ${key}`, () => new Hub());
  }

  /** A near cache has an open connection. */
  join(member: Member): void {
    for (const known of this.all()) if (known === member) return;
    this.#members.add(new WeakRef(member));
    this.#forgotten?.register(member);
  }

  /** A near cache has no open connection any more. Where each request has one, it keeps its entries for the next. */
  left(member: Member): void {
    if (!keepsRequestsApart()) {
      member.generation = undefined;
      member.dropAll();
      for (const ref of this.#members) if (ref.deref() === member) this.#members.delete(ref);
    }
    this.#stopUnwanted();
  }

  #stopUnwanted(): void {
    if (!this.#listening || this.#listeners().length > 0) return;
    this.#listening.stop();
    this.#listening = undefined;
    this.#wanted = "";
    for (const one of this.all()) {
      one.generation = undefined;
      one.dropAll();
    }
  }

  /** The near caches that want to hear of changes. */
  #listeners(): Member[] {
    return [...this.all()].filter(({ wants, isOpen }) => isOpen && wants !== "nothing");
  }

  /** Whether a near cache keeps entries of this key. */
  keeps(key: string): boolean {
    for (const { prefix } of this.all()) if (key.startsWith(prefix)) return true;
    return false;
  }

  /** Listens to what the open near caches want, if that is not what it does already. */
  listen(access: ListenerAccess, load: LoadListening): void {
    if (this.#listening) {
      this.#listenTo(this.#listening);
      return;
    }
    // The code of listeners is read when the first reply has come, so that a cold start need not wait for it.
    this.#loading ??= load()
      .then(({ Listening }) => {
        if (this.#listeners().length === 0) return;
        this.#listening ??= new Listening(access, this.time, this.#handlers(access));
        this.#listenTo(this.#listening);
      })
      .catch((error: Error) => {
        for (const member of this.#listeners()) member.failed(error);
      })
      .finally(() => {
        this.#loading = undefined;
      });
  }

  #listenTo(listening: Listening): void {
    const members = this.#listeners();
    if (members.length === 0) return;
    const prefixes = joined(members.filter(({ wants }) => wants === "tracking").map(({ prefix }) => prefix));
    const channels = [...new Set(members.filter(({ wants }) => wants === "channel").map(({ channel }) => channel))];
    const staleMs = Math.min(...members.map(({ maxStalenessMs }) => maxStalenessMs));
    const wanted = JSON.stringify([prefixes, channels, staleMs]);
    if (wanted !== this.#wanted) listening.listen({ prefixes, channels }, staleMs);
    this.#wanted = wanted;
    for (const member of members) member.generation ??= listening.generation;
  }

  /** Commands have their connection look for its primary, and there are none where all reads are answered here. */
  #follow(): void {
    const nowMs = this.time.now();
    if (nowMs - this.#followedMs < FOLLOW_MS) return;
    this.#followedMs = nowMs;
    const [first] = this.#listeners();
    first?.isPrimary().catch(() => {});
  }

  #handlers(access: ListenerAccess): ListeningHandlers {
    return {
      key: (key) => {
        for (const member of this.all()) member.dropKey(key);
      },
      all: () => {
        for (const member of this.all()) member.dropAll();
      },
      message: (channel, keys) => this.#onMessage(channel, keys),
      published: (key, message, source) => {
        for (const member of this.all()) member.hear(key, message, source);
      },
      isPrimary: async () => {
        const [first] = this.#listeners();
        return first?.isPrimary() ?? true;
      },
      moved: () => {
        for (const member of this.#listeners()) member.replaceConnections();
      },
      batchEnded: () => {
        for (const member of this.all()) member.batchEnded();
        if (access.follows) this.#follow();
      },
      changed: () => {
        for (const member of this.all()) member.listeningChanged();
      },
      refused: (refusal) => {
        for (const member of this.all()) if (member.wants === refusal.what) member.refused(refusal);
        // It has stopped. Whoever joins later finds out for itself.
        this.#wanted = "";
        if (this.#listening) this.#listenTo(this.#listening);
        this.#stopUnwanted();
      },
      failed: (error) => {
        for (const member of this.#listeners()) member.failed(error);
      },
    };
  }

  /** Notifications of writes are refused. @returns whether it took this for a refusal */
  publishRefused(channel: string, reply: string): boolean {
    return this.#listening?.refuse("channel", ["PUBLISH", channel], reply) ?? false;
  }

  /** Whether changes of this near cache's entries are heard of. */
  hears({ generation }: Member): boolean {
    return generation !== undefined && this.#listening?.isLive(generation) === true;
  }

  get lastError(): Error | undefined {
    return this.#listening?.lastError;
  }

  /** What hears of the changes of a key; `undefined` while nothing does. */
  sourceOf(key: string): Source | undefined {
    return this.#listening?.sourceOf(key);
  }

  /** Hears what is published of a log, for one reader. */
  follow(key: string, reader: LogReader): Feed | undefined {
    return this.#listening?.follow(key, reader);
  }

  /** Writes of this process concern all its near caches. @returns what to call when they have ended */
  beginWrite(writes: Writes): () => void {
    const members = new Set(this.all());
    for (const member of members) member.beginWrite(writes);
    return () => {
      for (const member of members) member.endWrite(writes);
      // Those that have joined meanwhile may have read what was there before.
      for (const member of this.all()) if (!members.has(member)) member.dropAll();
    };
  }

  /** The connection that carries commands is new, or has ended. */
  verify(): void {
    if (this.#isVerifying) return;
    // All caches that share the connection report it.
    this.#isVerifying = true;
    queueMicrotask(() => {
      this.#isVerifying = false;
      this.#listening?.verify();
    });
  }

  *all(): Iterable<Member> {
    for (const ref of this.#members) {
      const member = ref.deref();
      if (member) yield member;
      else this.#members.delete(ref);
    }
  }

  #onMessage(channel: string, keys: readonly string[] | undefined): void {
    for (const member of this.all()) {
      if (member.channel !== channel) continue;
      if (keys) for (const key of keys) member.dropKey(key);
      else member.dropAll();
    }
  }

  #onStepBack(): void {
    this.#listening?.doubt();
    for (const member of this.all()) member.dropAll();
  }
}

/** Prefixes without those that begin with another, which servers refuse beside it. */
export function joined(prefixes: readonly string[]): string[] {
  const distinct = [...new Set(prefixes)].sort();
  return distinct.filter((prefix) => !distinct.some((other) => other !== prefix && prefix.startsWith(other)));
}
