import type { FastifyReply } from "fastify";
import type { HeaderFields } from "../http/adapter.js";
import { type Answer, PlainHit } from "../http/answer.js";
import type { Fields } from "../http/rfc/message.js";

/** The header fields that are set on a reply, through Fastify or on Node's own response. */
export function fieldsOf(reply: FastifyReply): Fields {
  return Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
    [value ?? []].flat().map((line) => [name.toLowerCase(), String(line)] as const),
  );
}

export function removeFields(reply: FastifyReply, fields: Fields): void {
  for (const [name] of fields) reply.removeHeader(name);
}

/** A reply's header fields, changed as those of a web response. */
export class ReplyHeaders implements HeaderFields, Pick<Headers, "get" | "delete"> {
  readonly #reply: FastifyReply;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
  }

  get(name: string): string | null {
    const value = this.#reply.getHeader(name);
    return value === undefined ? null : [value].flat().join(", ");
  }

  has(name: string): boolean {
    return this.#reply.hasHeader(name);
  }

  set(name: string, value: string): void {
    this.#reply.header(name, value);
  }

  append(name: string, value: string): void {
    const own = this.get(name);
    // Fastify itself keeps the lines of Set-Cookie apart.
    this.#reply.header(name, own === null || name === "set-cookie" ? value : `${own}, ${value}`);
  }

  delete(name: string): void {
    this.#reply.removeHeader(name);
  }
}

/** The fields of an answer as Fastify takes them: the lines of one name joined, but for Set-Cookie. */
export function toRecord(answer: Answer): Record<string, string | string[]> {
  const ready = answer instanceof PlainHit ? answer.headers : undefined;
  if (ready && !(ready instanceof Headers)) return ready;
  const record: Record<string, string | string[]> = {};
  for (const [name, value] of answer.fields) {
    const own = Object.hasOwn(record, name) ? record[name] : undefined;
    if (own === undefined) record[name] = value;
    else record[name] = name === "set-cookie" ? [own, value].flat() : `${own}, ${value}`;
  }
  return record;
}

/** Called before what Fastify shows of a reply nowhere. */
export interface ReplyWatch {
  readonly trailer: () => void;
  readonly hijack: () => void;
  /** The head of the response is sent, by Fastify or past it. */
  readonly head: (status: number | undefined) => void;
}

export function watchReply(reply: FastifyReply, { trailer, hijack, head }: ReplyWatch): void {
  const { raw } = reply;
  before(reply, "trailer", trailer);
  before(reply, "hijack", hijack);
  before(raw, "writeHead", (status) => head(typeof status === "number" ? status : undefined));
}

function before(owner: object, name: string, work: (...args: unknown[]) => void): void {
  const method: unknown = Reflect.get(owner, name);
  if (typeof method !== "function") return;
  Reflect.set(owner, name, (...args: unknown[]): unknown => {
    work(...args);
    return Reflect.apply(method, owner, args);
  });
}
