import type { Client } from "../client/client.js";
import { Memo } from "../client/memo.js";
import { Sharing } from "../client/single-flight.js";
import { handleOf } from "../connection/registry.js";
import type { Connection, Invocation, OrderedConnection } from "../core/connection.js";
import { systemClock } from "../core/time.js";
import { checked, toSignal } from "./arguments.js";
import { KeyBuilder } from "./key-builder.js";
import type { InvocationOptions } from "./method-options.js";
import type { Settings } from "./settings.js";
import { StoreCalls } from "./store-calls.js";

/** What the methods of one cache, or of one view, work with. */
export interface CacheParts {
  readonly settings: Settings;
  readonly invocation: Invocation;
  /** The connection that all views of a cache share. */
  readonly shared: Connection;
  /** This view's own handle to it. */
  readonly connection: OrderedConnection;
  readonly keys: KeyBuilder;
  readonly calls: StoreCalls;
  readonly client: Client;
  /** What concurrent callers of one key share. */
  readonly sharing: Sharing;
}

/**
 * The parts of a cache, or of its view for one invocation.
 * @param whole the cache of the process, for a view of it that shares its connection
 * @param memo what a view remembers
 */
export function openParts(settings: Settings, invocation: Invocation, whole?: CacheParts, memo?: Memo): CacheParts {
  const { codec, events, purges, tags } = settings;
  const keys = new KeyBuilder(settings);
  const calls = new StoreCalls(settings, keys, invocation);
  const shared = whole?.shared ?? settings.connect(invocation);
  const close = async (): Promise<void> => (whole ? undefined : shared.close());
  const connection = handleOf(memo?.batches(shared, purges) ?? shared, close);
  const sharing = whole?.sharing ?? new Sharing();
  const client = (memo?.client(settings.client) ?? settings.client)({
    connection,
    unordered: shared,
    codec,
    clock: systemClock,
    invocation,
    events,
    sharing,
    purges,
    tags,
    report: calls.report,
    forgive: calls.forgive,
  });
  return { settings, invocation, shared, connection, keys, calls, client, sharing };
}

/** The parts of a view for one invocation. @throws TypeError on wrong options */
export function invocationParts(whole: CacheParts, options: InvocationOptions): CacheParts {
  const { waitUntil, memo } = checked("for", options);
  const signal = toSignal(options.signal, undefined);
  const invocation: Invocation = { scope: "request", waitUntil: (work) => waitUntil?.(work), signal };
  const { settings } = whole;
  return openParts(settings, invocation, settings.sharesConnection ? whole : undefined, memo ? new Memo() : undefined);
}

/** The parts of a namespace: keys and settings of its own, over the connection and the client of the cache that it is in. */
export function namespaceParts(settings: Settings, parent: CacheParts): CacheParts {
  const keys = new KeyBuilder(settings);
  return { ...parent, settings, keys, calls: new StoreCalls(settings, keys, parent.invocation, parent.calls) };
}
