import { LoaderCycleError, show } from "./errors.js";

/** A value, or a promise of one if a runtime or a package is asynchronous. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Calls a callback of the user without waiting for its result. Never throws: errors and rejections of the callback go to
 * `onError`.
 */
export function notify<A extends unknown[]>(
  callback: (...args: A) => unknown,
  onError: (error: unknown) => void,
  ...args: A
): void {
  try {
    const result = callback(...args);
    // TypeScript allows an async function where the result type is void.
    if (typeof result === "object" && result !== null) Promise.resolve(result).catch(onError);
  } catch (error) {
    onError(error);
  }
}

/** The result of `work`; rejects with the signal's reason if that fires first. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

/** Continues with a value at once, and with a promise when it resolves, so that a ready value costs no microtask. */
export function chain<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

let now: object | undefined;

/**
 * The current moment: the same object for all code that runs before the next reply is handled. What was sent in this moment
 * is as new as what its other callers would send now, so they may share it: none of them can have seen anything end since.
 */
export function moment(): object {
  if (!now) {
    now = {};
    // Runs after all code that was ready when the moment began, and before any that waits for something sent since.
    queueMicrotask(() => {
      now = undefined;
    });
  }
  return now;
}

/** Spelt out, as the declarations of the package compile without Node's types. */
type SetImmediate = (work: () => void) => unknown;

/**
 * The host's own: a turn of the event loop is no time, so fake timers that a test starts later don't stop it, and calls end
 * without the clock being moved.
 */
const immediate: SetImmediate | undefined = typeof setImmediate === "function" ? setImmediate : undefined;

/** `setImmediate` of this host, where it has one. That of Next's edge runtime throws. */
export function hostImmediate(): SetImmediate | undefined {
  return "EdgeRuntime" in globalThis ? undefined : immediate;
}

/** Resolves in the next turn of the event loop, so that other work of the process runs first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const soon = hostImmediate();
    if (soon) soon(resolve);
    else setTimeout(resolve);
  });
}

/** Calls `work` when this turn of the event loop is over; where the host doesn't say when that is, when the running code has ended. */
export function atEndOfTurn(work: () => void): void {
  const soon = hostImmediate();
  if (soon) soon(work);
  else queueMicrotask(work);
}

/**
 * The most items that are worked on in one turn of the event loop, and the most commands or keys of one round trip. So any
 * number of them can be given: each round trip has a deadline of its own, and neither the event loop nor the server is held
 * up for long (`npm run bench stalls`).
 */
export const BATCH_SIZE = 500;

/**
 * Calls `work` with each item, and lets other work of the process run after each batch.
 * @returns nothing when it is done, as it is with one batch; else a promise
 */
export function inTurns<T>(items: readonly T[], work: (item: T, index: number) => void): Promise<void> | undefined {
  if (items.length > BATCH_SIZE) return eachInTurns(items, work);
  for (let index = 0; index < items.length; index++) work(items[index] as T, index);
  return undefined;
}

/** Works on one batch after another, the first of them at once; between two, other work of the process runs. */
export async function inBatches<T>(
  items: readonly T[],
  work: (batch: readonly T[], start: number) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < items.length; start += BATCH_SIZE) {
    if (start > 0) await nextTurn();
    await work(items.slice(start, start + BATCH_SIZE), start);
  }
}

async function eachInTurns<T>(items: readonly T[], work: (item: T, index: number) => void): Promise<void> {
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % BATCH_SIZE === 0) await nextTurn();
    work(item, index);
  }
}

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

/** A load that code is called from. */
export interface RunningLoad {
  /** Distinguishes caches that have keys of the same name. */
  readonly owner: object;
  readonly keys: readonly string[];
}

/** A load, and what that was called from. */
interface LoadChain {
  readonly load: RunningLoad;
  readonly parent: LoadChain | undefined;
}

/** Follows loads through asynchronous calls. `undefined` where the runtime has no contexts. */
const chains = hooks && new hooks.AsyncLocalStorage<LoadChain>();

/** Runs `work` as a part of a load. */
export function runInLoad<R>(load: RunningLoad, work: () => R): R {
  return chains ? chains.run({ load, parent: chains.getStore() }, work) : work();
}

/** @throws {LoaderCycleError} when the running code was called from the load of `key`, and would wait for it */
export function refuseCycle(owner: object, key: string): void {
  const path = [key];
  for (let link = chains?.getStore(); link; link = link.parent) {
    const { load } = link;
    const isSame = load.owner === owner && load.keys.includes(key);
    path.unshift(isSame ? key : (load.keys[0] ?? ""));
    if (!isSame) continue;
    throw new LoaderCycleError(
      `key ${show(key)}: its loader waits for itself (${path.map(show).join(" → ")}); load this value without the cache there`,
    );
  }
}
