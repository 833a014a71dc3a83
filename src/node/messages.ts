/** Header fields of a request, by name in lower case. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Header fields of a response, by name. */
export type ResponseHeaders = Record<string, number | string | string[] | undefined>;

/** Called when a chunk has been written, or could not be. */
export type Callback = (error?: Error | null) => void;
/** A listener of an emitter. */
export type Listener = (...args: unknown[]) => void;

/** What the adapter uses of emitters. */
export interface Emitter {
  on(name: string, listener: Listener): unknown;
  removeListener(name: string, listener: Listener): unknown;
}

/** A request of `node:http`, of the compatibility API of `node:http2`, or of a framework over them. */
export interface NodeRequest extends Emitter {
  method?: string | undefined;
  url?: string | undefined;
  headers: RequestHeaders;
  httpVersionMajor: number;
  socket: object;
}

/** The part of a response that an answer is sent with. */
export interface Sink {
  getHeader(name: string): number | string | string[] | undefined;
  getHeaders(): ResponseHeaders;
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  removeHeader(name: string): void;
  writeHead(status: number, headers?: ResponseHeaders): unknown;
  write(chunk: string | Uint8Array, encoding?: string, callback?: Callback): boolean;
  end(chunk?: string | Uint8Array, encoding?: string): unknown;
  destroy(error?: Error): unknown;
  on(name: string, listener: Listener): unknown;
}

/** A response of `node:http`, of the compatibility API of `node:http2`, or of a framework over them. */
export interface NodeResponse extends Sink, Emitter {
  statusCode: number;
  statusMessage: string;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
}

/** Continues with the next middleware, or with the error handlers. */
export type Next = (error?: unknown) => unknown;

export type Method = (...args: unknown[]) => unknown;

/** A method as it is now, bound to its object; `undefined` where there is none. */
export function methodOf(target: object, name: string): Method | undefined {
  const method: unknown = Reflect.get(target, name);
  return typeof method === "function" ? (...args) => Reflect.apply(method, target, args) : undefined;
}

/** A property that not all requests or responses have. */
export function property(target: unknown, name: string): unknown {
  return (typeof target === "object" || typeof target === "function") && target !== null
    ? Reflect.get(target, name)
    : undefined;
}
