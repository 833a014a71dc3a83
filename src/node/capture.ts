import { headersSent, isLifetime, toBytes, toCall, toHead, withCode } from "./calls.js";
import { HeldBody, type Step } from "./held-body.js";
import { holdEvents, InnerListeners } from "./listeners.js";
import { type Method, methodOf, type NodeRequest, type NodeResponse, property } from "./messages.js";
import { OuterResponse } from "./outer-response.js";
import { maskProperties } from "./properties.js";

/** How long a handler may write nothing once its client has left. Some notice it, and stop without an end or an error. */
const SILENCE_MS = 1_000;

const CHANGES = ["setHeader", "setHeaders", "appendHeader", "removeHeader"] as const;
const REPLACED = ["writeHead", "write", "end", "destroy", "flushHeaders", "flush", ...CHANGES] as const;
const RESPONSE_EVENTS: ReadonlySet<string> = new Set(["drain", "finish", "close"]);
const REQUEST_EVENTS: ReadonlySet<string> = new Set(["aborted", "close"]);
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * What the inner handlers make of a response. It is held until the cache knows what to do: `pass` lets it through, and
 * `body` gives it to the cache. When that cancels the body, another response is sent in its place.
 *
 * The methods that outer middleware has put on the response stay below, and those of inner middleware stay above.
 */
export class Capture {
  /** Resolves when the handlers have written the head: it is what the response shows then. */
  readonly head: Promise<void>;
  /** The response below: what is written to it reaches the client. */
  readonly outer: OuterResponse;
  readonly #req: NodeRequest;
  readonly #res: NodeResponse;
  readonly #events: InnerListeners;
  readonly #body: HeldBody;
  #mode: "held" | "passing" | "discarded" = "held";
  #hasHead = false;
  #status = 200;
  /** What the status was when the handlers last set a lifetime. */
  #lifetimeStatus: number | undefined;
  /** The handlers have no more to do. */
  #isDone = false;
  #isDestroyed = false;
  #resolveHead: () => void = () => {};
  #rejectHead: (error: Error) => void = () => {};
  #unmask: () => void = () => {};
  /** Events of the response that the handlers have yet to get. */
  #isFinished = false;
  #isClosed = false;
  #hasLeft = false;
  #release: (() => void) | undefined;
  #silence: NodeJS.Timeout | undefined;
  /** How many listeners the socket had before the handlers ran. */
  readonly #socketListeners: number;

  constructor(req: NodeRequest, res: NodeResponse) {
    this.#req = req;
    this.#res = res;
    this.outer = new OuterResponse(res, REPLACED);
    this.#body = new HeldBody({
      drained: () => this.#events.emit("drain"),
      read: () => this.#done(),
      cancelled: () => this.#discard(),
    });
    this.head = new Promise((resolve, reject) => {
      this.#resolveHead = resolve;
      this.#rejectHead = reject;
    });
    this.#socketListeners = this.#listenersOfSocket();
    this.#events = new InnerListeners(res, RESPONSE_EVENTS);
    this.#followEvents();
    this.#replaceMethods();
  }

  /** As the handlers have written it. */
  get status(): number {
    return this.#status;
  }

  /** Whether a lifetime was set before the status of an error. Frameworks leave the fields of a handler that has thrown. */
  get hasFailedLate(): boolean {
    return this.#status >= 500 && this.#lifetimeStatus !== undefined && this.#lifetimeStatus < 500;
  }

  /** Whether the response has no body, as far as the handlers have made it. */
  get isEmpty(): boolean {
    return !this.#hasBody || (this.#body.hasEnded && this.#body.isEmpty);
  }

  /** The handlers have destroyed the response. */
  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** Keeps it from the handlers that their client has left, as others still need the response. */
  holdClose(): void {
    // A request that was read to its end closes, too, and readers of its body wait for that.
    const release = holdEvents(this.#req, REQUEST_EVENTS, () => property(this.#req, "readableEnded") !== true);
    const no = (): boolean => false;
    const unmask = maskProperties(this.#req, { aborted: no, closed: no, destroyed: no });
    this.#release = () => {
      unmask();
      release();
    };
  }

  /** Sends what the handlers have written, and lets all that follows through. @param change of the head, before it is sent */
  pass(change: () => void): void {
    if (this.#mode !== "held") {
      this.outer.destroy(this.#body.error);
      return;
    }
    this.#mode = "passing";
    this.#unmask();
    change();
    const { outer } = this;
    outer.writeHead(this.#status);
    const { isFull, hasEnded } = this.#body;
    const steps = this.#body.takeAll();
    const [only] = steps;
    let hasRoom = true;
    if (hasEnded && steps.length === 1 && only && typeof only !== "string")
      outer.call("end", only.chunk, only.callback);
    else {
      for (const step of steps) hasRoom = this.#send(step);
      if (hasEnded) outer.end();
    }
    this.#done();
    if (isFull && hasRoom) process.nextTick(() => this.#events.emit("drain"));
  }

  #send(step: Step): boolean {
    if (typeof step === "string") return this.outer.call(step) === undefined;
    return this.outer.call("write", step.chunk, step.callback) !== false;
  }

  /** The body, as the handlers make it. */
  body(): ReadableStream<Uint8Array> {
    return this.#body.stream();
  }

  /** Sends at once what was written to the response below, where the handlers have asked for it. */
  flush(): void {
    const step = this.#body.takeFlush();
    if (typeof step === "string") this.outer.call(step);
  }

  /** The handlers have failed, or their response is not wanted. @returns whether it was still to be used */
  fail(error: Error): boolean {
    if (this.#mode !== "held" || this.#isDone) return false;
    this.#body.fail(error);
    this.#rejectHead(error);
    this.#discard();
    return true;
  }

  /** Another response was sent. Handlers that are late must not change what outer middleware logs of it. */
  keepStatus(status: number): void {
    if (this.#mode === "discarded") maskProperties(this.#res, { statusCode: () => status });
  }

  #discard(): void {
    if (this.#mode !== "held") return;
    this.#mode = "discarded";
    this.#body.drop();
    this.#done();
  }

  #done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    clearTimeout(this.#silence);
    this.#release?.();
    this.#emitEnd();
  }

  /** The end of the response reaches the handlers when they have ended it themselves. */
  #emitEnd(): void {
    if (!this.#isDone) return;
    if (this.#isFinished && (this.#mode !== "discarded" || this.#body.hasEnded)) {
      this.#isFinished = false;
      this.#events.emit("finish");
    }
    if (this.#isClosed) {
      this.#isClosed = false;
      this.#unmask();
      this.#events.emit("close");
    }
  }

  #followEvents(): void {
    const { outer } = this;
    outer.on("drain", () => {
      if (this.#mode === "passing") this.#events.emit("drain");
    });
    outer.on("finish", () => {
      this.#isFinished = true;
      this.#emitEnd();
    });
    outer.on("close", () => {
      this.#isClosed = true;
      // In HTTP/2, Node emits "finish" for an aborted stream, too.
      const isAborted = property(property(this.#res, "stream"), "aborted") === true;
      if (!this.#isDone && (isAborted || !this.#isFinished)) {
        this.#isFinished = false;
        this.#hasLeft = true;
        this.#watchSilence();
        // The response is not stored.
        if (!this.#release) this.#done();
      }
      this.#emitEnd();
    });
  }

  /** Whether the handlers may have noticed by the socket that the client has left, as `on-finished` does. */
  get #isNoticed(): boolean {
    return this.#hasLeft && this.#listenersOfSocket() > this.#socketListeners;
  }

  #listenersOfSocket(): number {
    return Number(methodOf(this.#req.socket, "listenerCount")?.("close") ?? 0);
  }

  #watchSilence(): void {
    if (!this.#hasLeft || !this.#hasHead || this.#body.hasEnded || this.#isDone) return;
    if (this.#silence) this.#silence.refresh();
    else {
      const left = new Error("the client has left, and the handler has stopped to write");
      this.#silence = setTimeout(() => this.fail(left), SILENCE_MS);
      this.#silence.unref();
    }
  }

  /** Replaces a method for the handlers. Other calls are let through, and so are all when the response is. */
  #replace(name: (typeof REPLACED)[number], own: (...args: unknown[]) => unknown): void {
    const { outer } = this;
    if (!outer.has(name)) return;
    Reflect.set(this.#res, name, (...args: unknown[]): unknown =>
      outer.isCalling || this.#mode === "passing" ? outer.call(name, ...args) : own(...args),
    );
  }

  #replaceMethods(): void {
    const res = this.#res;
    this.#replace("writeHead", (...args) => this.#writeHead(args));
    this.#replace("write", (...args) => this.#write(...toCall(args)));
    this.#replace("end", (...args) => this.#end(...toCall(args)));
    this.#replace("flushHeaders", () => {
      if (!this.#hasHead) res.writeHead(res.statusCode);
      return this.#push("flushHeaders");
    });
    // Of the middleware "compression".
    this.#replace("flush", () => this.#push("flush"));
    this.#replace("destroy", (error) => {
      this.#isDestroyed = true;
      this.fail(error instanceof Error ? error : new Error("the handler has destroyed its response"));
      return res;
    });
    for (const name of CHANGES) {
      this.#replace(name, (...args) => {
        if (this.#mode === "discarded") return res;
        if (this.#hasHead) throw headersSent();
        if (isLifetime(args[0])) this.#lifetimeStatus = res.statusCode;
        return this.outer.call(name, ...args);
      });
    }
    const isOver = (): boolean => this.#isDone && this.#isClosed;
    this.#unmask = maskProperties(res, {
      headersSent: () => this.#hasHead,
      writableEnded: () => this.#body.hasEnded,
      writableNeedDrain: () => this.#body.isFull,
      writableFinished: () => false,
      destroyed: isOver,
      closed: isOver,
      _closed: isOver,
    });
  }

  #writeHead(args: readonly unknown[]): NodeResponse {
    const res = this.#res;
    if (this.#hasHead) throw headersSent();
    const { status, reason, fields } = toHead(args);
    if (reason !== undefined) res.statusMessage = reason;
    res.statusCode = status;
    for (const [name, value] of fields) res.setHeader(name, value);
    this.#status = status;
    this.#hasHead = true;
    this.#watchSilence();
    this.#resolveHead();
    return res;
  }

  #write(chunk: unknown, encoding: unknown, callback: Method | undefined): boolean {
    const bytes = toBytes(chunk, encoding);
    if (this.#body.hasEnded) return this.#writeAfterEnd(callback);
    if (!this.#hasHead) this.#res.writeHead(this.#res.statusCode);
    return this.#keep(bytes, callback);
  }

  #end(chunk: unknown, encoding: unknown, callback: Method | undefined): NodeResponse {
    const res = this.#res;
    const bytes = chunk === undefined || chunk === null ? undefined : toBytes(chunk, encoding);
    if (this.#body.hasEnded) {
      if (bytes) this.#writeAfterEnd(callback);
      else if (callback) process.nextTick(callback);
      return res;
    }
    if (callback) res.on("finish", callback);
    if (!this.#hasHead) {
      const hasLength =
        res.getHeader("content-length") !== undefined || res.getHeader("transfer-encoding") !== undefined;
      // As Node does where all of the body is known when the head is written.
      if (!hasLength && this.#hasBody) res.setHeader("Content-Length", bytes?.length ?? 0);
      res.writeHead(res.statusCode);
    }
    if (bytes) this.#keep(bytes, undefined);
    if (this.#mode === "held" && this.#isNoticed && res.getHeader("content-length") === undefined) {
      this.fail(new Error("the client has left, and the handler may have stopped for that"));
    }
    this.#body.end();
    this.#emitEnd();
    return res;
  }

  /** By the handlers' own status: another one may have been sent. */
  get #hasBody(): boolean {
    const status = this.#hasHead ? this.#status : this.#res.statusCode;
    return this.#req.method !== "HEAD" && !WITHOUT_BODY.has(status);
  }

  #keep(bytes: Uint8Array, callback: Method | undefined): boolean {
    if (this.#mode === "discarded" || !this.#hasBody) {
      if (callback) process.nextTick(callback);
      return true;
    }
    this.#watchSilence();
    return bytes.length > 0 || callback ? this.#push({ chunk: bytes, callback }) : !this.#body.isFull;
  }

  #push(step: Step): boolean {
    return this.#mode !== "held" || this.#body.push(step);
  }

  #writeAfterEnd(callback: Method | undefined): false {
    const error = withCode(new Error("write after end"), "ERR_STREAM_WRITE_AFTER_END");
    process.nextTick(() => {
      callback?.(error);
      const emit = methodOf(this.#res, "emit");
      if (this.#mode !== "discarded") emit?.("error", error);
    });
    return false;
  }
}
