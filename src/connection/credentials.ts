import type { MaybePromise } from "../core/async.js";
import { ConfigurationError, ConnectionError, TimeoutError } from "../core/errors.js";
import type { Location } from "../core/location.js";
import { withDeadline } from "./resilience/deadline.js";

/** What logs a connection in. */
export interface Credentials {
  /** Name of an ACL user. @default the server's default user */
  username?: string | undefined;
  /** A password or an access token. */
  password: string;
  /** When they end: a `Date`, or milliseconds since 1970. Open connections log in again before. @default never */
  expiresAt?: Date | number | undefined;
}

/** Gives the current credentials. It is called for each connection that is opened, and before credentials end. */
export type GetCredentials = () => MaybePromise<Credentials>;

/** What is known of a function that gives credentials. */
export interface Description {
  /** Identifies it in place of the function itself. */
  readonly id: string | undefined;
  /** @throws {ConfigurationError} where it can't be used */
  check(factory: string, location: Location): void;
}

const descriptions = new WeakMap<GetCredentials, Description>();

export function describeCredentials(credentials: GetCredentials, description: Description): void {
  descriptions.set(credentials, description);
}

export function descriptionOf(credentials: GetCredentials): Description | undefined {
  return descriptions.get(credentials);
}

/** Credentials of a server. A username always comes with a password. */
export interface Login {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** Credentials, and when they end. `Infinity` never. */
export interface CurrentLogin extends Login {
  readonly endsMs: number;
}

/** The function that gives the credentials of one configuration, of which only its identity is in keys. */
export class CredentialSource {
  /** Whether the server refused the last login. */
  wasRefused = false;

  constructor(
    /** The newest function. An older one may belong to code that a hot reload has replaced. */
    public get: GetCredentials,
    /** What the application calls it, or the number of the function. */
    readonly id: string | number,
  ) {}

  toJSON(): string | number {
    return this.id;
  }
}

/** What a dial needs to log in. */
export interface LoginSettings extends Login {
  readonly name: string;
  readonly credentials: CredentialSource | undefined;
  readonly connectTimeoutMs: number;
}

/** The credentials to use now. @throws {ConnectionError} when the application's function gives none */
export async function currentLogin(settings: LoginSettings): Promise<CurrentLogin> {
  const { name, username, password, credentials, connectTimeoutMs } = settings;
  if (!credentials) return { username, password, endsMs: Infinity };
  // The error of the whole dial, whose deadline ends at the same time, would not say what it waited for.
  const ms = connectTimeoutMs - Math.min(20, connectTimeoutMs / 2);
  const tooLate = () => new TimeoutError(`no answer within ${Math.round(ms)} ms`);
  try {
    return toLogin(await withDeadline(Promise.resolve().then(credentials.get), ms, tooLate));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "it threw what is not an error";
    const remedy = cause instanceof TimeoutError ? "make it faster, or raise connectTimeout" : "check this function";
    throw new ConnectionError(`${name} could not be logged in to: option "credentials": ${reason}; ${remedy}`, {
      cause,
    });
  }
}

const RESULT = "return { username, password, expiresAt }, where only password is required";

/** Messages contain no values, as these are secrets. */
function toLogin(given: unknown): CurrentLogin {
  const { username, password, expiresAt }: { readonly [name: string]: unknown } = Object(given);
  const wrong = (name: string, what: string) => new ConfigurationError(`its ${name} is ${what}; ${RESULT}`);
  if (typeof password !== "string" || password === "") throw wrong("password", "not a string, or empty");
  if (username !== undefined && (typeof username !== "string" || username === ""))
    throw wrong("username", "not a string, or empty");
  const endsMs = expiresAt === undefined ? Infinity : expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  if (typeof endsMs !== "number" || !(endsMs > Date.now()))
    throw wrong("expiresAt", "not a Date or a number of milliseconds since 1970 in the future");
  return { username, password, endsMs };
}

/**
 * Opens a connection with the current credentials. They may have changed while it was opened, so a refused login is tried
 * once more with new ones.
 */
export async function withLogin<T>(settings: LoginSettings, open: (login: CurrentLogin) => Promise<T>): Promise<T> {
  const { credentials } = settings;
  const login = await currentLogin(settings);
  if (!credentials) return open(login);
  const attempt = async (one: CurrentLogin): Promise<T> => {
    const opened = await open(one);
    credentials.wasRefused = false;
    return opened;
  };
  try {
    return await attempt(login);
  } catch (error) {
    const isRefusal = error instanceof ConnectionError && LOGIN_REFUSED.test(error.message);
    if (!isRefusal || credentials.wasRefused) throw error;
    credentials.wasRefused = true;
    const other = await currentLogin(settings);
    if (other.password === login.password && other.username === login.username) throw error;
    return attempt(other);
  }
}

const LOGIN_REFUSED = /\b(?:WRONGPASS|NOAUTH)\b|invalid password/;
