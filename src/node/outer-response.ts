import { type Method, methodOf, type NodeResponse, type Sink } from "./messages.js";

/**
 * The methods that a response had before inner handlers got it: what is written by them goes through outer middleware to
 * the client.
 */
export class OuterResponse implements Sink {
  readonly #res: NodeResponse;
  readonly #methods: Readonly<Partial<Record<string, Method>>>;
  readonly #on: Method | undefined;
  #isCalling = false;

  /** @param names of the methods that will be replaced */
  constructor(res: NodeResponse, names: readonly string[]) {
    this.#res = res;
    this.#methods = Object.fromEntries(names.map((name) => [name, methodOf(res, name)]));
    this.#on = methodOf(res, "on");
  }

  /** Whether one of these methods is running: it may call others of the response, which no handler does. */
  get isCalling(): boolean {
    return this.#isCalling;
  }

  get statusCode(): number {
    return this.#res.statusCode;
  }

  has(name: string): boolean {
    return this.#methods[name] !== undefined;
  }

  call(name: string, ...args: readonly unknown[]): unknown {
    const before = this.#isCalling;
    this.#isCalling = true;
    try {
      return this.#methods[name]?.(...args);
    } finally {
      this.#isCalling = before;
    }
  }

  getHeader(name: string): ReturnType<Sink["getHeader"]> {
    return this.#res.getHeader(name);
  }

  getHeaders(): ReturnType<Sink["getHeaders"]> {
    return this.#res.getHeaders();
  }

  setHeader(name: string, value: number | string | readonly string[]): void {
    this.call("setHeader", name, value);
  }

  removeHeader(name: string): void {
    this.call("removeHeader", name);
  }

  writeHead(status: number, headers?: Parameters<Sink["writeHead"]>[1]): void {
    this.call("writeHead", status, ...(headers ? [headers] : []));
  }

  write(...args: Parameters<Sink["write"]>): boolean {
    return this.call("write", ...args) !== false;
  }

  end(...args: Parameters<Sink["end"]>): void {
    this.call("end", ...args);
  }

  destroy(error?: Error): void {
    this.call("destroy", error);
  }

  on(name: string, listener: Method): void {
    this.#on?.(name, listener);
  }
}
