import { UnavailableError } from "../core/availability.js";
import {
  CacheError,
  ConfigurationError,
  ConnectionError,
  DecodeError,
  EncodeError,
  KeyNotFoundError,
  LoaderCycleError,
  LoaderTimeoutError,
  NotAnIntegerError,
  ReplyError,
  SchemaError,
  TimeoutError,
} from "../core/errors.js";
import { LIBRARY } from "./client-info.js";
import { newRegistry, type Registry, shareRegistry } from "./registry.js";

// Each bundle of an application may have a copy of this library, and each hot reload evaluates one more. The copies of one
// version share their connections. So an error may be of another copy's class.

interface Common extends Registry {
  /** The messages that `isFirst` was asked about. */
  readonly said: Set<string>;
}

/** Other versions may have other ports, so they share nothing. */
const COMMON = Symbol.for(`${LIBRARY.name} ${LIBRARY.version}`);
/** A property of each error class, with the same value in every copy. The names of classes are changed by minifiers. */
const KIND = Symbol.for("valkey-edge-cache error");

const ERRORS = {
  CacheError,
  ConfigurationError,
  ConnectionError,
  DecodeError,
  EncodeError,
  KeyNotFoundError,
  LoaderCycleError,
  LoaderTimeoutError,
  NotAnIntegerError,
  ReplyError,
  SchemaError,
  TimeoutError,
  UnavailableError,
};

/** Has this copy share its connections with the others, and recognise their errors. */
export function joinCopies(): void {
  for (const [kind, type] of Object.entries(ERRORS)) Object.defineProperty(type, KIND, { value: kind });
  Object.defineProperty(CacheError, Symbol.hasInstance, { value: isInstance });
  shareRegistry(common());
}

/** Whether no copy in this process has asked about this before. */
export function isFirst(message: string): boolean {
  const { said } = common();
  return !said.has(message) && said.add(message).size > 0;
}

/**
 * Says something that concerns the whole process, once, by `process.emitWarning`: on standard error, unless the application
 * listens to the event `warning` or is started with `--no-warnings`.
 */
export function warnOnce(message: string): void {
  if (isFirst(message)) process.emitWarning(message, "ValkeyEdgeCacheWarning");
}

function common(): Common {
  const found: Common | undefined = Reflect.get(globalThis, COMMON);
  if (found) return found;
  const made: Common = { ...newRegistry(), said: new Set() };
  Reflect.set(globalThis, COMMON, made);
  return made;
}

/** `instanceof` for the classes above and their subclasses. Those of an application are compared by identity. */
function isInstance(this: { readonly prototype: object }, value: unknown): boolean {
  if (!(value instanceof Error)) return false;
  const kind: unknown = Object.hasOwn(this, KIND) ? Reflect.get(this, KIND) : undefined;
  for (let one: unknown = Object.getPrototypeOf(value); one; one = Object.getPrototypeOf(one)) {
    if (one === this.prototype) return true;
    if (kind !== undefined && Object(one).constructor?.[KIND] === kind) return true;
  }
  return false;
}
