import { type Answer, PlainHit } from "../http/answer.js";
import type { Body } from "../http/body.js";
import { restorePreset } from "../http/preset-fields.js";
import type { Fields } from "../http/rfc/message.js";
import { methodOf, type ResponseHeaders, type Sink } from "./messages.js";

/** Statuses that never have a body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
/** In bytes. Node sends a text together with the head, in one write, and bytes in a second one. */
const LONGEST_TEXT = 16_384;

/** The fields of a response as Node has them, as lines. */
export function fieldsOf(headers: ResponseHeaders): Fields {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((line) => [name.toLowerCase(), String(line)] as const),
  );
}

/** The fields that outer middleware has set on a response. */
export class Preset {
  readonly fields: Fields;
  /** In the case that they were set in, which HTTP/1.1 sends. */
  readonly #set: readonly (readonly [name: string, value: number | string | string[]])[];

  constructor(sink: Sink) {
    const headers = sink.getHeaders();
    const names: unknown = methodOf(sink, "getRawHeaderNames")?.();
    this.#set = Object.entries(headers).flatMap(([name, value], i) =>
      value === undefined ? [] : [[Array.isArray(names) ? String(names[i]) : name, value]],
    );
    this.fields = fieldsOf(headers);
  }

  /** Removes them, as they belong to one client, and what inner handlers set is for all. */
  takeFrom(sink: Sink): void {
    for (const [name] of this.#set) sink.removeHeader(name);
  }

  /** Makes them the only fields of the response. */
  putBack(sink: Sink): void {
    for (const name of Object.keys(sink.getHeaders())) sink.removeHeader(name);
    for (const [name, value] of this.#set) sink.setHeader(name, value);
  }
}

/** The header fields of a response of Node, as a web `Headers` has them. */
export class SinkHeaders implements Pick<Headers, "append" | "get" | "has" | "set"> {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  get(name: string): string | null {
    const value = this.#sink.getHeader(name);
    return value === undefined ? null : Array.isArray(value) ? value.join(", ") : String(value);
  }

  has(name: string): boolean {
    return this.#sink.getHeader(name) !== undefined;
  }

  set(name: string, value: string): void {
    this.#sink.setHeader(name, value);
  }

  append(name: string, value: string): void {
    const known = this.#sink.getHeader(name);
    this.#sink.setHeader(name, known === undefined ? value : [known].flat().map(String).concat(value));
  }
}

interface SendOptions {
  readonly isHead: boolean;
  /** The fields of outer middleware. They are on the response already, and are joined with those of the answer. */
  readonly preset: Fields;
  /** Fields that clients don't get. */
  readonly hidden: readonly string[];
  /** Called when a part of the body was written. */
  readonly flush?: (() => void) | undefined;
  /** A signal that fires when the client leaves. */
  readonly gone: () => AbortSignal;
}

/** Sends an answer of the cache. */
export function sendAnswer(sink: Sink, answer: Answer, { isHead, preset, hidden, flush, gone }: SendOptions): void {
  const { status } = answer;
  const own = toHeaders(answer);
  if (preset.length > 0) {
    restorePreset(new Overlay(own), preset);
    for (const name of hidden) sink.removeHeader(name);
  }
  const hasBody = !isHead && !WITHOUT_BODY.has(status);
  const body = hasBody ? answer.body : null;
  if (body === null || body instanceof Uint8Array) {
    // Without a length Node would send the body in chunks.
    if (hasBody && own["transfer-encoding"] === undefined) own["content-length"] ??= body?.length ?? 0;
    sink.writeHead(status, own);
    if (body === null) sink.end();
    else if (body.length > LONGEST_TEXT) sink.end(body);
    else sink.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1"), "latin1");
    if (answer.body instanceof ReadableStream && body === null) answer.body.cancel().catch(() => {});
    return;
  }
  sink.writeHead(status, own);
  flush?.();
  void sendBody(sink, body, gone(), flush);
}

/** Fields by name. A name that comes twice has a list. */
function toHeaders(answer: Answer): ResponseHeaders {
  const ready = answer instanceof PlainHit ? answer.headers : undefined;
  if (ready && !(ready instanceof Headers)) return ready;
  const headers: ResponseHeaders = {};
  for (const [name, value] of answer.fields) {
    const known = Object.hasOwn(headers, name) ? headers[name] : undefined;
    headers[name] = known === undefined ? value : [known].flat().map(String).concat(value);
  }
  return headers;
}

/** The fields of an answer over those that the response has: what is not the answer's own is left alone. */
class Overlay implements Pick<Headers, "append" | "get" | "set"> {
  readonly #own: ResponseHeaders;

  constructor(own: ResponseHeaders) {
    this.#own = own;
  }

  get(name: string): string | null {
    const value = Object.hasOwn(this.#own, name) ? this.#own[name] : undefined;
    return value === undefined ? null : [value].flat().join(", ");
  }

  set(name: string, value: string): void {
    if (Object.hasOwn(this.#own, name)) this.#own[name] = value;
  }

  append(name: string, value: string): void {
    this.#own[name] = [this.#own[name] ?? []].flat().map(String).concat(value);
  }
}

/** Sends a body as fast as the client takes it. */
async function sendBody(sink: Sink, body: Body, gone: AbortSignal, flush: SendOptions["flush"]): Promise<void> {
  const reader = body.getReader();
  let wake = (): void => {};
  sink.on("drain", () => wake());
  const left = (): void => {
    wake();
    // Where the body is stored, it is read to its end for that.
    reader.cancel().catch(() => {});
  };
  if (gone.aborted) left();
  else gone.addEventListener("abort", left, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || gone.aborted) break;
      const hasRoom = sink.write(value);
      flush?.();
      if (!hasRoom && !gone.aborted) await new Promise<void>((resolve) => (wake = resolve));
    }
    sink.end();
  } catch (error) {
    sink.destroy(error instanceof Error ? error : new Error("the body failed", { cause: error }));
  }
}
