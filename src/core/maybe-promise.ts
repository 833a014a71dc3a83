/** A value, or a promise of one where a runtime or a package can only answer later. */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with a value at once, and with a promise when it settles: no turn of the event loop is lost on what is ready. */
export function chain<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
