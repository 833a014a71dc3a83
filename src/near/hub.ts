import { registered } from "../connection/registry.js";
import type { ListenerAccess } from "../core/near.js";
import type { Writes } from "./commands.js";
import { Elapsed } from "./elapsed.js";
import type { RefusedError } from "./link.js";
import type { Listening, ListeningHandlers, LoadListening } from "./listening.js";
import type { Source } from "./store.js";

/** The near cache of one cache, as its hub sees it. */
export interface Member {
  readonly prefix: string;
  /** How it wants to hear of changes now. */
  readonly wants: "tracking" | "channel" | "nothing";
  readonly channel: string;
  readonly maxStalenessMs: number;
  /** From which generation of links on what it wants is heard; `undefined` while nothing listens for it. */
  generation: number | undefined;
  /** Writes of this process begin, or have ended. */
  beginWrite(writes: Writes): void;
  endWrite(writes: Writes): void;
  /** An entry has changed. */
  dropKey(key: string): void;
  /** Any entry may have changed. */
  dropAll(): void;
  /** A piece of work is done: what was dropped is told of. */
  told(): void;
  /** It hears of changes now, or not any more. */
  listeningChanged(): void;
  refused(refusal: RefusedError): void;
  /** It could not listen for a while. */
  failed(error: Error): void;
}

/** What the near caches of a process share that use one server: who listens, and whom of them a write concerns. */
export class Hub {
  readonly time = new Elapsed(() => this.#onStepBack());
  #listening: Listening | undefined;
  #loading: Promise<void> | undefined;
  /** What it listens to. */
  #wanted = "";
  /** All near caches, held weakly, as a cache that nobody has any more must not be kept. */
  readonly #members = new Set<WeakRef<Member>>();
  /** Those with an open connection. */
  readonly #users = new Map<Member, number>();

  /** The hub of a server, for all caches and all copies of this library in the process. @param key the server and its user */
  static of(key: string): Hub {
    return registered(`near ${key}`, () => new Hub());
  }

  add(member: Member): void {
    this.#members.add(new WeakRef(member));
  }

  /** A connection of this near cache is open. @returns a function that ends this */
  join(member: Member): () => void {
    this.#users.set(member, (this.#users.get(member) ?? 0) + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#users.get(member) ?? 1) - 1;
      if (left > 0) this.#users.set(member, left);
      else this.#users.delete(member);
      const isWanted = [...this.#users.keys()].some(({ wants }) => wants !== "nothing");
      if (isWanted || !this.#listening) return;
      this.#listening.stop();
      this.#listening = undefined;
      this.#wanted = "";
      for (const one of this.all()) {
        one.generation = undefined;
        one.dropAll();
      }
    };
  }

  /** Listens to what the open near caches want, if that is not what it does already. */
  listen(access: ListenerAccess, load: LoadListening): void {
    if (this.#listening) {
      this.#listenTo(this.#listening);
      return;
    }
    // The code of listeners is read when the first reply has come, so that a cold start need not wait for it.
    this.#loading ??= load().then(({ Listening }) => {
      this.#loading = undefined;
      const isWanted = [...this.#users.keys()].some(({ wants }) => wants !== "nothing");
      if (!isWanted) return;
      this.#listening ??= new Listening(access, this.time, this.#handlers());
      this.#listenTo(this.#listening);
    });
  }

  #listenTo(listening: Listening): void {
    const members = [...this.#users.keys()].filter(({ wants }) => wants !== "nothing");
    if (members.length === 0) return;
    const prefixes = joined(members.filter(({ wants }) => wants === "tracking").map(({ prefix }) => prefix));
    const channels = [...new Set(members.filter(({ wants }) => wants === "channel").map(({ channel }) => channel))];
    const staleMs = Math.min(...members.map(({ maxStalenessMs }) => maxStalenessMs));
    const wanted = JSON.stringify([prefixes, channels, staleMs]);
    if (wanted !== this.#wanted) listening.listen({ prefixes, channels }, staleMs);
    this.#wanted = wanted;
    for (const member of members) member.generation ??= listening.generation;
  }

  #handlers(): ListeningHandlers {
    return {
      key: (key) => {
        for (const member of this.all()) member.dropKey(key);
      },
      all: () => {
        for (const member of this.all()) member.dropAll();
      },
      message: (channel, payload) => this.#onMessage(channel, payload),
      told: () => {
        for (const member of this.all()) member.told();
      },
      changed: () => {
        for (const member of this.all()) member.listeningChanged();
      },
      refused: (refusal) => {
        for (const member of this.all()) if (member.wants === refusal.what) member.refused(refusal);
        if (this.#listening) this.#listenTo(this.#listening);
      },
      failed: (error) => {
        for (const member of this.all()) if (member.wants !== "nothing") member.failed(error);
      },
    };
  }

  get isLive(): boolean {
    return this.#listening?.isLive ?? false;
  }

  get lastError(): Error | undefined {
    return this.#listening?.lastError;
  }

  /** What hears of the changes of a key; `undefined` while nothing does. */
  sourceOf(key: string): Source | undefined {
    return this.#listening?.sourceOf(key);
  }

  /** Writes of this process concern all its near caches. @returns what to call when they have ended */
  beginWrite(writes: Writes): () => void {
    const members = [...this.all()];
    for (const member of members) member.beginWrite(writes);
    return () => {
      for (const member of members) member.endWrite(writes);
    };
  }

  /** The connection that carries commands is new. */
  verify(): void {
    this.#listening?.verify();
  }

  *all(): Iterable<Member> {
    for (const ref of this.#members) {
      const member = ref.deref();
      if (member) yield member;
      else this.#members.delete(ref);
    }
  }

  #onMessage(channel: string, payload: string): void {
    for (const member of this.all()) {
      if (member.channel !== channel) continue;
      const keys = toKeys(payload);
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

/** The keys that a message names; `undefined` where it names none, or can't be read: then all are meant. */
function toKeys(payload: string): string[] | undefined {
  try {
    const keys: unknown = JSON.parse(payload);
    return Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === "string") ? keys : undefined;
  } catch {
    return undefined;
  }
}
