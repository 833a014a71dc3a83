/** A value, or a promise of one where a runtime or a package can only answer later. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Calls a callback of the user's, whose result is not waited for. Never throws: what the callback throws, or rejects
 * with, goes to `failed`.
 */
export function notify(callback: () => unknown, failed: (error: unknown) => void): void {
  try {
    const result = callback();
    // Types allow an async function where the result is void.
    if (typeof result === "object" && result !== null) Promise.resolve(result).catch(failed);
  } catch (error) {
    failed(error);
  }
}

/** Goes on with a value at once, and with a promise when it settles: no turn of the event loop is lost on what is ready. */
export function chain<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
