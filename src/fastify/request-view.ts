import type { FastifyRequest } from "fastify";
import type { OriginRequest } from "../http/host.js";
import { property } from "../node/messages.js";
import { replaceProperties } from "../node/properties.js";
import { pathOf, substitute } from "../node/request.js";

/** Makes handlers see another request than the client's, on the objects that Fastify has made for it. */
export class RequestView {
  readonly #request: FastifyRequest;
  #undo: (() => void)[] = [];

  constructor(request: FastifyRequest) {
    this.#request = request;
  }

  /** What Fastify derives of Node's request when it is asked follows, such as `request.host`. */
  show(given: OriginRequest): void {
    this.restore();
    const request = this.#request;
    const { raw } = request;
    const { url: before = "", headers: own } = raw;
    // Fastify merges what a hook has set as `request.headers` with those of Node's request.
    const isMerged = request.headers !== own;
    this.#undo.push(substitute(raw, given));
    const { url: path = pathOf(given.url), headers } = raw;
    const shown: Record<string, unknown> = { signal: given.signal, ...(isMerged && { headers }) };
    const scheme = given.url.slice(0, given.url.indexOf(":"));
    // A proxy has named it, in a field that Fastify's `trustProxy` does not believe or that is not among these.
    if (request.protocol !== scheme) shown.protocol = scheme;
    if (path !== before) {
      shown.originalUrl = property(raw, "originalUrl") ?? path;
      if (queryOf(path) !== queryOf(before)) shown.query = this.#parse(path);
    }
    this.#undo.push(replaceProperties(request, shown));
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
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }
}

/** Fastify takes a fragment for a part of the query. */
function queryOf(path: string): string {
  return path.replace(/^[^?#]*[?]?/, "");
}
