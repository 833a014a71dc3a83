/** A value, or a promise of one if a runtime or a package is asynchronous. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Calls a callback of the user without waiting for its result. Never throws: errors and rejections of the callback go to
 * `onError`.
 */
export function notify(callback: () => unknown, onError: (error: unknown) => void): void {
  try {
    const result = callback();
    // TypeScript allows an async function where the result type is void.
    if (typeof result === "object" && result !== null) Promise.resolve(result).catch(onError);
  } catch (error) {
    onError(error);
  }
}

/** Continues with a value at once, and with a promise when it resolves, so that a ready value costs no microtask. */
export function chain<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
