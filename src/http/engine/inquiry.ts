import type { Handling } from "../cache-status.js";
import type { RequestHead, Timing } from "../exchange.js";
import type { RequestDirectives } from "../request-directives.js";
import type { Host } from "./host.js";
import type { Lease } from "./lease.js";
import type { Settings } from "./options.js";
import type { Publisher } from "./publish.js";
import type { Stamp } from "./purge-log.js";
import type { State } from "./state.js";
import type { Place, Store } from "./store.js";

/** One request that the cache handles, and all that its answer depends on. */
export interface Inquiry {
  readonly settings: Settings;
  readonly state: State;
  readonly store: Store;
  readonly publisher: Publisher;
  readonly host: Host;
  /** The request as the store and the origin see it. */
  readonly asked: RequestHead;
  readonly wishes: RequestDirectives;
  /** The made key of its URL. */
  readonly base: string;
  readonly status: (handling: Handling) => string;
  /** Lets work go on after the answer; its failures are told to `onError`. */
  readonly inBackground: (work: Promise<unknown>, method: string) => Promise<void>;
  /** Resolves when the work that has been let go on so far has ended. */
  readonly settled: () => Promise<void>;
  /** The body of a stored response, ready to be sent. @throws {DecodeError} */
  readonly unpack: (packed: Uint8Array) => Promise<Uint8Array>;
}

/** A question to the origin: what may be done with its answer. */
export interface Question {
  readonly requestTimeMs: number;
  /** What was known of purges when it was asked. */
  readonly stamp: Stamp | undefined;
  /** Without one, nothing is stored. */
  readonly lease: Lease | undefined;
  readonly place: Place | undefined;
}

export function ask(inquiry: Inquiry, lease: Lease | undefined, place: Place | undefined): Question {
  const { settings, state } = inquiry;
  if (lease) inquiry.inBackground(lease.keep(), "keep");
  return { requestTimeMs: settings.clock.now(), stamp: state.log.stamp, lease, place };
}

export function timing({ requestTimeMs }: Question, { settings }: Inquiry): Timing {
  return { requestTimeMs, responseTimeMs: settings.clock.now() };
}
