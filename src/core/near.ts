import type { MaybePromise } from "./async.js";
import type { CacheCall } from "./events.js";
import type { Address } from "./location.js";

/** An entry that this process knows as the server has it. What it holds is shared by all readers, and must not be changed. */
export interface Known {
  readonly stored: string | Uint8Array;
  /** What a reader has made of it, kept for its next look. Readers that differ in how they read make their own. */
  derived: unknown;
  derivedBy: object | undefined;
}

/** How values are read from what is stored: a codec. */
export interface ValueReader {
  /** The mark of its serializer in envelopes. */
  readonly mark: string;
  decode(stored: string | Uint8Array, key: string): MaybePromise<unknown>;
}

/** What decides whether the server is asked for a value that is known, and still fresh. */
export type Passes = (entry: { readonly freshUntilMs: number; readonly deltaMs: number }) => boolean;

/** What a process knows of the entries behind a connection. */
export interface NearReads {
  /** The entry of a stored key, if it may be answered without asking the server. */
  recall(key: string): Known | undefined;
  /**
   * The fresh value of an entry, if it may be answered without asking the server. What can't be decoded is not answered
   * either, so that the usual way reports it.
   * @param passes whether to ask for a value that is still fresh
   * @param call records the size of what was found
   */
  value(key: string, reader: ValueReader, passes?: Passes, call?: CacheCall): MaybePromise<unknown> | undefined;
  /** As `value`, for several keys in their order. */
  values(
    keys: readonly string[],
    reader: ValueReader,
    call?: CacheCall,
  ): readonly (MaybePromise<unknown> | undefined)[];
  /** A value as callers get it: deeply frozen where they share values, and this one is JSON-shaped. */
  settle<T>(value: MaybePromise<T>): MaybePromise<T>;
  /**
   * Calls `changed` once, when the server reports a change of the entry, or when its reports can be lost.
   * @returns a function that ends this; `undefined` where changes are not reported, so that only polling helps
   */
  onChange(key: string, changed: () => void): (() => void) | undefined;
  /** The next change of any of these entries; `undefined` where changes of some of them are not reported. */
  changes(keys: readonly string[]): Changes | undefined;
  /**
   * Watches an entry for a reader that keeps what it makes of it somewhere else. It begins before the entry is read.
   * @param reader where the entry is a log whose writers publish what they append, and that can be heard
   * @returns whether the entry is known to be as it was then, but for what its reader was given, as surely as an entry is that may be
   * answered; `undefined` where what is read now can't be kept
   */
  watch(key: string, reader?: LogReader): IsUnchanged | undefined;
}

/** Whether a watched entry is known to be unchanged. @param nowMs by the near cache's own clock, where the caller has just read it */
export type IsUnchanged = (nowMs?: number) => boolean;

/** Begins the name of the channel on which is published what is appended to a log; the log's key ends it. */
export const CHANGES_CHANNEL = "valkey-edge-cache:changes:";

/** What a process knows of a log. */
export interface LogReader {
  /** The log's epoch, and the last number that is known; `undefined` while nothing is. */
  readonly stamp: readonly [epoch: string, number: number] | undefined;
  /** Adds what was appended next. @param records each with its number after it */
  add(records: (string | number)[]): void;
}

/** A change that is waited for. */
export interface Changes {
  /** Fires with the change, or when its report can be lost. */
  readonly signal: AbortSignal;
  end(): void;
}

/** A server, or the path of its socket. */
export type ListenerAddress = Address | { readonly path: string };

/** How connections are opened beside a transport's own. */
export interface ListenerAccess {
  /** The servers: equal for all caches that use them. */
  readonly key: string;
  /** The server, for messages. */
  readonly name: string;
  readonly connectTimeoutMs: number;
  /** Whether commands have their connection ask other servers where the primary is. */
  readonly follows: boolean;
  /** Where the primary may be: all candidates, the likeliest first. @throws {ConnectionError} */
  addresses(): Promise<readonly ListenerAddress[]>;
  /** Connects, over TLS where the location says so. @throws {ConnectionError} */
  open(address: ListenerAddress, handlers: ListenerHandlers): Promise<ListenerSocket>;
  /** The credentials of now. @throws {ConnectionError} */
  login(): Promise<{ readonly username: string | undefined; readonly password: string | undefined }>;
}

/** Called with what a connection receives, and once when it ends. */
export interface ListenerHandlers {
  readonly data: (bytes: Uint8Array) => void;
  readonly closed: (error: Error | undefined) => void;
}

/** A connection that does not keep the process running. */
export interface ListenerSocket {
  write(text: string): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}
