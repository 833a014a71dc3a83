import type { FastifyRequest } from "fastify";
import type { OriginRequest } from "../http/host.js";
import type { HeaderLines } from "../http/plain-request.js";
import type { Fields } from "../http/rfc/message.js";

type NodeFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The header fields of Node's request, read as those of a web request. The pseudo-fields of HTTP/2 are left out. */
export class NodeHeaders implements HeaderLines {
  readonly #fields: NodeFields;

  constructor(fields: NodeFields) {
    this.#fields = fields;
  }

  get(name: string): string | null {
    const value = this.#fields[name];
    return value === undefined ? null : typeof value === "string" ? value : value.join(", ");
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (const [name, value] of Object.entries(this.#fields)) {
      if (name.startsWith(":") || value === undefined) continue;
      for (const line of [value].flat()) yield [name, line];
    }
  }
}

/** Makes handlers see another request than the client's, on the objects that Fastify has made for it. */
export class RequestView {
  readonly #request: FastifyRequest;
  #undo: (() => void)[] = [];

  constructor(request: FastifyRequest) {
    this.#request = request;
  }

  /** Everything that Fastify derives from the URL and the header fields follows, such as `request.host` and `request.query`. */
  show({ url, fields, signal }: OriginRequest): void {
    this.restore();
    const request = this.#request;
    const { raw } = request;
    const [, scheme = "", host = "", path = ""] = /^([^:]*):\/\/([^/]*)(.*)$/s.exec(url) ?? [];
    const headers = joined(fields);
    if (raw.httpVersionMajor === 2) {
      const { method = "GET" } = raw;
      Object.assign(headers, { ":method": method, ":scheme": scheme, ":authority": host, ":path": path });
      this.#replace(raw, "authority", { value: host });
    }
    const hasOwnHeaders = request.headers !== raw.headers;
    this.#replace(raw, "headers", { value: headers, writable: true });
    this.#replace(raw, "rawHeaders", { value: fields.flat(), writable: true });
    this.#replace(raw, "headersDistinct", { get: () => distinct(fields) });
    // A hook has set `request.headers`, which Fastify merges with those of the raw request.
    if (hasOwnHeaders) this.#replace(request, "headers", { value: headers, writable: true });
    this.#replace(request, "signal", { get: () => signal });
    // A proxy has named it, in a field that Fastify's `trustProxy` does not believe or that is not among these.
    if (request.protocol !== scheme) this.#replace(request, "protocol", { value: scheme });
    this.#showPath(path);
  }

  #showPath(path: string): void {
    const request = this.#request;
    const { raw, originalUrl } = request;
    const { url: own = path } = raw;
    if (path === own) return;
    this.#replace(raw, "url", { value: path, writable: true });
    const whole = originalUrl.endsWith(own) ? originalUrl.slice(0, -own.length) + path : originalUrl;
    this.#replace(request, "originalUrl", { value: /^https?:/i.test(own) ? path : whole });
    const before = queryOf(own);
    if (queryOf(path) !== before) this.#replace(request, "query", { value: this.#parse(path), writable: true });
  }

  /** With the application's own parser, which only its router has. */
  #parse(path: string): unknown {
    const { method, server } = this.#request;
    const found = server.findRoute({ method, url: path });
    const parsed: unknown = found && "searchParams" in found ? found.searchParams : undefined;
    return parsed ?? Object.fromEntries(new URLSearchParams(queryOf(path)));
  }

  /** Gives hooks the client's request back. */
  restore(): void {
    for (const undo of this.#undo.reverse()) undo();
    this.#undo = [];
  }

  #replace(owner: object, name: string, value: PropertyDescriptor): void {
    const own = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, { configurable: true, enumerable: true, ...value });
    this.#undo.push(() => {
      if (own) Object.defineProperty(owner, name, own);
      else Reflect.deleteProperty(owner, name);
    });
  }
}

/** Fastify takes a fragment for a part of the query. */
function queryOf(path: string): string {
  return path.replace(/^[^?#]*[?]?/, "");
}

/** As Node parses them: one text for each name. */
function joined(fields: Fields): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [name, value] of fields) {
    const before = Object.hasOwn(all, name) ? all[name] : undefined;
    all[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return all;
}

function distinct(fields: Fields): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const [name, value] of fields) all[name] = [...(Object.hasOwn(all, name) ? (all[name] ?? []) : []), value];
  return all;
}
