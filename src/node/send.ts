import type { OutgoingHttpHeaders } from "node:http";
import { type Answer, PlainHit } from "../http/answer.js";
import type { Body } from "../http/body.js";
import { restorePreset } from "../http/preset-fields.js";
import type { Fields } from "../http/rfc/message.js";
import type { Sink } from "./messages.js";

/** Statuses that never have a body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
/** In bytes. Node sends a text together with the head, in one write, and bytes in a second one. */
const LONGEST_TEXT = 16_384;

/** The fields of a response as Node has them, as lines. */
export function fieldsOf(headers: OutgoingHttpHeaders): Fields {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((line) => [name.toLowerCase(), String(line)] as const),
  );
}

/** The fields that outer middleware has set on a response. */
export class Preset {
  readonly fields: Fields;
  readonly #headers: OutgoingHttpHeaders;

  constructor(sink: Sink) {
    this.#headers = sink.getHeaders();
    this.fields = fieldsOf(this.#headers);
  }

  /** Removes them, as they belong to one client, and what inner handlers set is for all. */
  takeFrom(sink: Sink): void {
    for (const name of Object.keys(this.#headers)) sink.removeHeader(name);
  }

  /** Makes them the only fields of the response. */
  putBack(sink: Sink): void {
    for (const name of Object.keys(sink.getHeaders())) sink.removeHeader(name);
    for (const [name, value] of Object.entries(this.#headers)) {
      if (value !== undefined) sink.setHeader(name, value);
    }
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
}

/** Sends an answer of the cache. */
export function sendAnswer(sink: Sink, answer: Answer, { isHead, preset, hidden, flush }: SendOptions): void {
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
  void sendBody(sink, body, flush);
}

/** Fields by name. A name that comes twice has a list. */
function toHeaders(answer: Answer): OutgoingHttpHeaders {
  if (answer instanceof PlainHit && !(answer.headers instanceof Headers)) return answer.headers;
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of answer.fields) {
    const known = Object.hasOwn(headers, name) ? headers[name] : undefined;
    headers[name] = known === undefined ? value : [known].flat().map(String).concat(value);
  }
  return headers;
}

/** The fields of an answer over those that the response has: what is not the answer's own is left alone. */
class Overlay implements Pick<Headers, "append" | "get" | "set"> {
  readonly #own: OutgoingHttpHeaders;

  constructor(own: OutgoingHttpHeaders) {
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
async function sendBody(sink: Sink, body: Body, flush: SendOptions["flush"]): Promise<void> {
  const reader = body.getReader();
  let wake = (): void => {};
  let isClosed = false;
  sink.on("drain", () => wake());
  sink.on("close", () => {
    isClosed = true;
    wake();
    // The body is read to its end for the store, where it is stored.
    reader.cancel().catch(() => {});
  });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || isClosed) break;
      const hasRoom = sink.write(value);
      flush?.();
      if (hasRoom || isClosed) continue;
      await new Promise<void>((resolve) => (wake = resolve));
    }
    sink.end();
  } catch (error) {
    sink.destroy(error instanceof Error ? error : new Error("the body failed", { cause: error }));
  }
}
