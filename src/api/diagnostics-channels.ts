import {
  type Channels,
  EVENT_NAMES,
  EVENTS_OF,
  type EventName,
  type Operation,
  type Run,
} from "../core/event-types.js";

/** As much of `node:diagnostics_channel` as is needed here. */
interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

interface TracingChannel extends Readonly<Record<(typeof STEPS)[number], Channel>> {
  tracePromise<T>(work: () => Promise<T>, context: object): Promise<T>;
}

interface DiagnosticsChannel {
  channel(name: string): Channel;
  tracingChannel?(name: string): TracingChannel;
}

const STEPS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;
const KINDS = ["call", "load", "refresh", "roundTrip"] as const satisfies readonly Operation["kind"][];

let channels: Channels | undefined;

/** The channels of `node:diagnostics_channel`; `undefined` where the runtime has none. Looked up, as an import would fail there. */
export function diagnosticsChannels(): Channels | undefined {
  channels ??= open();
  return channels;
}

function open(): Channels | undefined {
  const node = lookUp();
  if (!node?.tracingChannel) return undefined;
  const events = new Map<EventName, Channel>();
  for (const name of EVENT_NAMES) events.set(name, node.channel(`valkey-edge-cache:${name}`));
  const traces = new Map<string, TracingChannel>();
  for (const kind of KINDS) traces.set(kind, node.tracingChannel(`valkey-edge-cache:${kind}`));
  const ofKind = new Map<string, readonly Channel[]>();
  for (const [kind, names] of Object.entries(EVENTS_OF)) {
    const tracing = traces.get(kind);
    const steps = tracing ? STEPS.map((step) => tracing[step]) : [];
    ofKind.set(kind, [...steps, ...names.map((name) => node.channel(`valkey-edge-cache:${name}`))]);
  }
  return {
    isHeard(kind) {
      for (const channel of ofKind.get(kind) ?? []) if (channel.hasSubscribers) return true;
      return false;
    },
    hears: (name) => events.get(name)?.hasSubscribers === true,
    publish: (name, event, cache) => events.get(name)?.publish({ cache, ...event }),
    trace(operation, cache): Run | undefined {
      const tracing = traces.get(operation.kind);
      if (!tracing || !STEPS.some((step) => tracing[step].hasSubscribers)) return undefined;
      return (work) => tracing.tracePromise(work, { cache, ...operation });
    },
  };
}

function lookUp(): DiagnosticsChannel | undefined {
  try {
    return globalThis.process?.getBuiltinModule?.("node:diagnostics_channel") as DiagnosticsChannel | undefined;
  } catch {
    return undefined;
  }
}
