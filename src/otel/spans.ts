import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { CallEvent, Operation, Run } from "../core/event-types.js";
import type { Events } from "../core/events.js";
import { errorType, foundBy, hash, operationOf, refusalIn, SCOPE, sentryOperation, serverOf } from "./conventions.js";

export interface SpanSettings {
  /** The cache's name. */
  readonly name: string;
  readonly keys: "none" | "hash" | ((storedKey: string) => string | undefined);
  /** Whether round trips have spans. */
  readonly roundTrips: boolean;
}

/** A span of this cache, and what happens in it. */
interface Recording {
  readonly span: Span;
  claimsWon: number;
  claimsLost: number;
  fenced: number;
  early: number;
  waitMs: number;
}

const RECORDING = createContextKey("valkey-edge-cache: the span that records what happens");

/** Records spans of a cache. @returns a function that ends it */
export function recordSpans(events: Events, settings: SpanSettings): () => void {
  const spans = new Spans(events, settings);
  const ends = [
    events.trace((operation) => spans.begin(operation)),
    events.on("claim", ({ won }) => happens((recording) => (won ? recording.claimsWon++ : recording.claimsLost++))),
    events.on("fenced", () => happens((recording) => recording.fenced++)),
    events.on("early", () => happens((recording) => recording.early++)),
    events.on("wait", ({ durationMs }) => happens((recording) => (recording.waitMs += durationMs))),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** Where the runtime has no asynchronous contexts, nothing is known of where it happens. */
function happens(record: (recording: Recording) => void): void {
  const recording = context.active().getValue(RECORDING) as Recording | undefined;
  if (recording) record(recording);
}

const plainly: Run = (work) => work();

class Spans {
  readonly #tracer = trace.getTracer(SCOPE);
  readonly #settings: SpanSettings;
  readonly #cache: Attributes;
  readonly #server: Attributes;
  readonly #target: string;

  constructor({ source }: Events, settings: SpanSettings) {
    const { server } = source;
    this.#settings = settings;
    this.#cache = { "cache.name": settings.name };
    this.#server = { ...serverOf(source), ...(server && { "db.namespace": String(server.database) }) };
    this.#target = server ? ` ${server.address}${server.port === undefined ? "" : `:${server.port}`}` : "";
  }

  begin(operation: Operation): Run {
    const parent = context.active();
    switch (operation.kind) {
      case "call":
        return this.#run(`cache.${operation.call.method}`, parent, {
          attributes: this.#ofCall(operation.call),
          found: () => foundBy(operation.call),
        });
      case "load": {
        const { method, key, count } = operation;
        const keys = count > 1 ? { "cache.load.keys": count } : {};
        return this.#run("cache.load", parent, { attributes: { ...this.#of(method, key), ...keys } });
      }
      case "refresh": {
        const attributes = this.#of(operation.method, operation.key);
        // The request's span is not kept, but what identifies it.
        const begun = trace.getSpanContext(parent);
        const links = begun ? [{ context: begun }] : [];
        return this.#run("cache.refresh", ROOT_CONTEXT, { attributes, links, root: true });
      }
      case "roundTrip": {
        if (!this.#settings.roundTrips) return plainly;
        const { commands } = operation;
        const attributes = { ...this.#cache, ...this.#server, ...operationOf(commands) };
        const size = commands.length > 1 ? { "db.operation.batch.size": commands.length } : {};
        return this.#run(`${attributes["db.operation.name"]}${this.#target}`, parent, {
          kind: SpanKind.CLIENT,
          attributes: { ...attributes, ...size },
          found: refusalIn,
        });
      }
    }
  }

  /** Runs work in a span. What an SDK throws harms no call. */
  #run(
    name: string,
    parent: Context,
    { found, ...options }: SpanOptions & { readonly found?: (result: unknown) => Attributes | undefined },
  ): Run {
    return (work) => {
      const span = safely(() => this.#tracer.startSpan(name, options, parent));
      if (!span) return work();
      const recording = { span, claimsWon: 0, claimsLost: 0, fenced: 0, early: 0, waitMs: 0 };
      return context.with(trace.setSpan(parent, span).setValue(RECORDING, recording), async () => {
        let result: unknown;
        let failure: Attributes | undefined;
        try {
          const got = await work();
          result = got;
          return got;
        } catch (error) {
          failure = { "error.type": errorType(error) };
          throw error;
        } finally {
          safely(() => {
            if (span.isRecording()) {
              const attributes = { ...found?.(result), ...failure, ...happened(recording) };
              span.setAttributes(attributes);
              if ("error.type" in attributes) span.setStatus({ code: SpanStatusCode.ERROR });
            }
            span.end();
          });
        }
      });
    };
  }

  #ofCall(call: CallEvent): Attributes {
    const { method, key, count } = call;
    const operation = sentryOperation(method);
    return {
      ...this.#of(method, key),
      ...(operation && { "sentry.op": operation }),
      ...(count > 1 && { "cache.keys": count }),
    };
  }

  #of(method: string, key: string): Attributes {
    const shown = key === "" ? undefined : this.#shown(key);
    return { ...this.#cache, "cache.operation": method, ...(shown !== undefined && { "cache.key": [shown] }) };
  }

  #shown(key: string): string | undefined {
    const { keys } = this.#settings;
    if (keys === "none") return undefined;
    return keys === "hash" ? hash(key) : safely(() => keys(key));
  }
}

function happened({ claimsWon, claimsLost, fenced, early, waitMs }: Recording): Attributes {
  return {
    ...(claimsWon > 0 && { "cache.claims.won": claimsWon }),
    ...(claimsLost > 0 && { "cache.claims.lost": claimsLost }),
    ...(fenced > 0 && { "cache.fenced": fenced }),
    ...(early > 0 && { "cache.early": true }),
    ...(waitMs > 0 && { "cache.wait.duration": waitMs / 1_000 }),
  };
}

function safely<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    diag.error("valkey-edge-cache: no span was recorded, as the OpenTelemetry SDK or the option keys threw", error);
    return undefined;
  }
}
