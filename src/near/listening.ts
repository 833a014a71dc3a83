import { hostImmediate } from "../core/async.js";
import { CHANGES_CHANNEL, type ListenerAccess, type ListenerAddress, type LogReader } from "../core/near.js";
import type { Elapsed } from "./elapsed.js";
import { Feed } from "./feed.js";
import { type Interests, Link, type LinkHandlers, nameOf } from "./link.js";
import { toKeys } from "./messages.js";
import { HungUpError, passes, RefusedError, refusalIn } from "./refusals.js";
import { SLOTS, slotOf } from "./slots.js";
import type { Source } from "./source.js";

export interface ListeningHandlers extends Pick<LinkHandlers, "key" | "batchEnded"> {
  /** Another near cache has written keys; any key, where it names none, or can't be understood. */
  message(channel: string, keys: readonly string[] | undefined): void;
  /** Something was appended to a log. It comes before the notification of that change. */
  published(key: string, message: string, source: Source): void;
  /** Any key may have changed, or changes may have been missed. */
  all(): void;
  /** Whether the connection that carries commands goes to a primary. @throws {ConnectionError} */
  isPrimary(): Promise<boolean>;
  /** The connection that carries commands may go to a server that was replaced. */
  moved(): void;
  /** It hears of changes now, or not any more. */
  changed(): void;
  /** The server refuses tracking, or even channels: it then listens to what is left. */
  refused(refusal: RefusedError): void;
  /** It could not listen for a while. */
  failed(error: Error): void;
}

/** Loads this file, where there are listeners. */
export type LoadListening = () => Promise<{ readonly Listening: typeof Listening }>;

/** Pauses between attempts to listen, in milliseconds: each is twice as long as the one before. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** After so many attempts in a row, which take about a second, a failure is reported. */
const REPORT_AFTER = 4;

/**
 * Listens to a server, or to each primary of a cluster, and goes on listening: it follows failovers and moved slots, and
 * connects again after a loss. It waits for nothing, and nothing waits for it.
 */
export class Listening {
  lastError: Error | undefined;
  readonly #access: ListenerAccess;
  readonly #time: Elapsed;
  readonly #handlers: ListeningHandlers;
  #interests: Interests = { prefixes: [], channels: [] };
  /** How often the interests have changed. */
  generation = 0;
  /** A link was lost outside of a cluster, and commands go on over the connection that they had: another server may have taken over. */
  #isMoved = false;
  #everyMs = 800;
  #limitMs = 2_000;
  /** Links that listen, by address. Outside of a cluster there is one. */
  readonly #links = new Map<string, Link>();
  /** The link to the one primary that says it serves a slot, for each slot; `undefined` outside of a cluster. */
  #slots: (Link | undefined)[] | undefined;
  /** Whether it listens to all primaries. */
  #isWhole = false;
  #running: Promise<void> | undefined;
  /** It was asked to look again while it was looking. */
  #isOutdated = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  /** Attempts in a row that have failed. */
  #failures = 0;
  /** The next attempt looks whether the server is there at all: it has hung up on HELLO several times. */
  #pings = false;
  /** The failures in a row were reported. */
  #isReported = false;
  #isStopped = false;

  constructor(access: ListenerAccess, time: Elapsed, handlers: ListeningHandlers) {
    this.#access = access;
    this.#time = time;
    this.#handlers = handlers;
  }

  /** Whether it hears of changes of all keys that were asked for by then. */
  isLive(generation: number): boolean {
    const sources = Array.from(this.#links.values(), ({ source }) => source);
    const hears = (source: Source): boolean => !source.isOver && source.generation >= generation;
    return this.#isWhole && sources.length > 0 && sources.every(hears);
  }

  /** What hears of the changes of a key; `undefined` while nothing does. */
  sourceOf(key: string): Source | undefined {
    return this.#linkOf(key)?.source;
  }

  #linkOf(key: string): Link | undefined {
    if (this.#slots) return this.#slots[slotOf(key)];
    for (const link of this.#links.values()) return link;
    return undefined;
  }

  /** Hears what is published of a log, over the connection that hears of its changes. */
  follow(key: string, reader: LogReader): Feed {
    this.#linkOf(key)?.follow(CHANGES_CHANNEL + key);
    return new Feed(reader);
  }

  /** Listens to these from now on. @param staleMs how old what it has heard may be before it is proved again */
  listen(interests: Interests, staleMs: number): void {
    this.#interests = interests;
    this.generation++;
    // Twice in that time, with a fifth of it to spare for the answers.
    this.#everyMs = Math.min(1_000, staleMs * 0.4);
    this.#limitMs = Math.max(2_000, staleMs);
    this.#begin();
  }

  /** The connection that carries commands is new, or has ended: what is read may come from another server than the link's. */
  verify(): void {
    if (this.#slots) return;
    for (const link of this.#links.values()) link.close();
    this.#isMoved = false;
    this.#isOutdated = this.#running !== undefined;
  }

  /** The server has refused a command over another connection. @returns whether this is a refusal for good */
  refuse(...refusal: ConstructorParameters<typeof RefusedError>): boolean {
    if (passes(refusal[2])) return false;
    this.#handlers.refused(new RefusedError(...refusal));
    return true;
  }

  /** The clock was set back: nothing is proved until the servers have answered again. */
  doubt(): void {
    for (const link of this.#links.values()) link.doubt();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const link of this.#links.values()) link.close();
  }

  #begin(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    if (this.#running) {
      this.#isOutdated = true;
      return;
    }
    this.#running = this.#connect()
      .then(
        () => {
          this.lastError = undefined;
          this.#pauseMs = FIRST_PAUSE_MS;
          this.#failures = 0;
          this.#isReported = false;
          // Until all nodes have learnt of a move.
          if (this.#slots?.includes(undefined)) this.#beginAfter(LONGEST_PAUSE_MS);
        },
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#running = undefined;
        this.#handlers.changed();
        if (!this.#isOutdated) return;
        this.#isOutdated = false;
        // After a failure the next attempt is due already.
        if (this.#failures === 0) this.#begin();
      });
  }

  #failed(error: unknown): void {
    this.lastError = error instanceof Error ? error : new Error(String(error));
    if (this.#isStopped) return;
    // The server may be another one than the link's.
    if (!this.#slots) for (const link of this.#links.values()) link.close();
    const what = this.#interests.prefixes.length > 0 ? "tracking" : "channel";
    const refusal = refusalIn(this.lastError, what);
    this.#pings = ++this.#failures >= REPORT_AFTER && this.lastError instanceof HungUpError;
    if (refusal) {
      this.#failures = 0;
      this.#handlers.refused(refusal);
      return;
    }
    if (this.#failures >= REPORT_AFTER && !this.#pings && !this.#isReported) {
      this.#isReported = true;
      this.#handlers.failed(this.lastError);
    }
    this.#beginAfter(this.#pauseMs * (0.5 + Math.random() / 2));
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs);
  }

  #beginAfter(ms: number): void {
    this.#timer = setTimeout(() => this.#begin(), ms);
    this.#timer.unref?.();
  }

  /** @throws {RefusedError} @throws {Error} */
  async #connect(): Promise<void> {
    // A node that was cut off from the other nodes may have an old map.
    const known = this.#slots && [...this.#links.values()].find((link) => !link.source.isOver && link.view.isWell);
    const first = known ?? (await this.#openFirst());
    try {
      if (first.greeting.isCluster && this.#interests.prefixes.length > 0) await this.#connectCluster(first);
      else {
        await first.listen(this.#interests);
        await this.#checkPrimary();
        if (this.#isOutdated) return first.close();
        this.#slots = undefined;
        this.#adopt(new Map([[nameOf(first.address), first]]), true);
        this.#handlers.all();
      }
    } catch (error) {
      if (first !== known) first.close();
      throw error;
    }
  }

  /** What is read must come from the server that is listened to. @throws {Error} */
  async #checkPrimary(): Promise<void> {
    if (!(await this.#handlers.isPrimary())) {
      this.#handlers.moved();
      throw new Error("commands go to a replica");
    }
    if (this.#isMoved) this.#handlers.moved();
    this.#isMoved = false;
  }

  /** Connects to a primary, or to a node of a cluster: the first of the candidates that is one. @throws {Error} */
  async #openFirst(): Promise<Link> {
    let failure: unknown;
    for (const address of await this.#access.addresses()) {
      const link = this.#link(address);
      try {
        await link.open(this.#pings);
        const { isPrimary, isCluster } = link.greeting;
        if (isCluster && this.#interests.prefixes.length > 0) await link.look();
        if (isCluster ? link.view.isWell || link.view.text === "" : isPrimary) return link;
        failure = new Error(`${nameOf(address)} ${isCluster ? "says that its cluster is down" : "is a replica"}`);
        link.close();
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? new Error("there is no server to listen to");
  }

  /** Listens to all primaries. Those that can't be reached are tried again later, and their keys are not kept meanwhile. */
  async #connectCluster(first: Link): Promise<void> {
    const primaries = new Map((await first.primaries()).map((address) => [nameOf(address), address]));
    const links = new Map<string, Link>();
    const failures: unknown[] = [];
    const opening = Array.from(primaries, async ([name, address]) => {
      try {
        links.set(name, await this.#linkTo(name, address, first));
      } catch (error) {
        failures.push(error);
      }
    });
    await Promise.all(opening);
    this.#adopt(links, failures.length === 0);
    this.#mapSlots();
    if (![...links.values()].includes(first)) first.close();
    const refusal = failures.find((error) => error instanceof RefusedError) ?? failures[0];
    if (refusal !== undefined) throw refusal;
  }

  /** The primaries' own replies decide which of them vouches for a slot: replies of other nodes may be old. */
  #mapSlots(): void {
    const before = this.#slots;
    const slots = new Array<Link | undefined>(SLOTS).fill(undefined);
    const contested = new Set<number>();
    for (const link of this.#links.values()) {
      for (const { start, end } of link.view.slots) {
        for (let slot = start; slot <= end; slot++) {
          if (slots[slot]) contested.add(slot);
          slots[slot] = link;
        }
      }
    }
    for (const slot of contested) slots[slot] = undefined;
    this.#slots = slots;
    // The former primary of a slot sends no notifications of it.
    if (!before || before.some((link, slot) => link && !link.source.isOver && link !== slots[slot]))
      this.#handlers.all();
  }

  async #linkTo(name: string, address: ListenerAddress, first: Link): Promise<Link> {
    const known = this.#links.get(name);
    if (known && !known.source.isOver && known.source.generation === this.generation) return known;
    const isFirst = name === nameOf(first.address) && first !== known;
    const link = isFirst ? first : this.#link(address);
    try {
      if (!isFirst) await link.open(false);
      await link.listen(this.#interests);
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** From here on these links vouch for what is kept. */
  #adopt(links: ReadonlyMap<string, Link>, isWhole: boolean): void {
    const old = [...this.#links.values()];
    this.#links.clear();
    this.#isWhole = isWhole;
    for (const [name, link] of links) {
      this.#links.set(name, link);
      if (!old.includes(link)) link.keepAlive(this.#everyMs, this.#limitMs);
      if (this.#isStopped) link.close();
    }
    const kept = new Set(links.values());
    for (const link of old) if (!kept.has(link)) link.close();
    // Some may have been lost meanwhile.
    if ([...kept].some(({ source }) => source.isOver)) this.#lost();
  }

  #link(address: ListenerAddress): Link {
    return new Link(this.#access, address, this.#time, this.generation, {
      key: this.#handlers.key,
      message: (channel, payload, source) => {
        if (!channel.startsWith(CHANGES_CHANNEL)) this.#handlers.message(channel, toKeys(payload));
        else this.#handlers.published(channel.slice(CHANGES_CHANNEL.length), payload, source);
      },
      batchEnded: this.#handlers.batchEnded,
      all: this.#handlers.all,
      changed: (link) => {
        if (this.#links.get(nameOf(link.address)) !== link) return;
        if (this.#slots) {
          this.#mapSlots();
          this.#lost();
        } else if (!link.greeting.isCluster) link.close();
      },
      closed: (link, error) => {
        if (this.#links.get(nameOf(link.address)) !== link) return;
        this.#links.delete(nameOf(link.address));
        this.#isWhole = false;
        if (error) this.lastError = error;
        this.#isMoved = this.#slots === undefined;
        this.#lost();
      },
    });
  }

  /** Looks anew. What is left goes on vouching for its own keys meanwhile. */
  #lost(): void {
    this.#handlers.changed();
    hostImmediate()?.(() => this.#begin());
  }
}
