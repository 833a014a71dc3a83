/** One unit of work of the host: a request, a function call, or the whole process. */
export interface Invocation {
  /** What may outlive it: nothing of a `request`'s, where the host forbids that; all of the `process`'s. */
  readonly scope: "process" | "request";
  /** Keeps the host running until `work` settles, where the host would stop earlier. `work` never rejects. */
  waitUntil(work: Promise<unknown>): void;
  /** Fires when nobody wants the answer any more. */
  readonly signal: AbortSignal | undefined;
}

/** The whole process: it stays while anything runs in it. */
export const PROCESS: Invocation = { scope: "process", waitUntil: () => {}, signal: undefined };
