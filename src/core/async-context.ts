/** As much of `AsyncLocalStorage` as is needed here. */
interface Storage<T> {
  getStore(): T | undefined;
  run<R>(value: T, work: () => R): R;
}

interface AsyncHooks {
  readonly AsyncLocalStorage: (new <T>() => Storage<T>) & { snapshot?(): <R>(work: () => R) => R };
}

/** `undefined` where the runtime has no asynchronous contexts. Looked up, as an import would fail there. */
function asyncHooks(): AsyncHooks | undefined {
  try {
    return globalThis.process?.getBuiltinModule?.("node:async_hooks") as AsyncHooks | undefined;
  } catch {
    return undefined;
  }
}

const hooks = asyncHooks();
/** Captured when this file is loaded, outside of any request. */
const outside = hooks?.AsyncLocalStorage.snapshot?.();

/**
 * Runs work that outlives its caller in a context of its own, so that it does not use resources of a request that has ended,
 * such as a database transaction in an `AsyncLocalStorage`. Where the runtime has no contexts it is just run.
 */
export function runOutside<R>(work: () => R): R {
  return outside ? outside(work) : work();
}

/** What the running code was called from: a load, and what that was called from. */
export interface LoadChain<T> {
  readonly load: T;
  readonly parent: LoadChain<T> | undefined;
}

/** Follows loads through asynchronous calls. Where the runtime has no contexts, every chain is empty. */
export class LoadChains<T> {
  readonly #storage: Storage<LoadChain<T>> | undefined = hooks && new hooks.AsyncLocalStorage<LoadChain<T>>();

  get current(): LoadChain<T> | undefined {
    return this.#storage?.getStore();
  }

  /** Runs `work` as a part of `load`. */
  run<R>(load: T, work: () => R): R {
    return this.#storage ? this.#storage.run({ load, parent: this.current }, work) : work();
  }
}
