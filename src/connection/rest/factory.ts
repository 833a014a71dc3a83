import type { ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { type Check, checkOptions, isBoolean, isFunction, isWait } from "../../core/options.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import { type Duration, systemClock } from "../../core/time.js";
import { outsideInvocation } from "../deferred.js";
import { aboutOf, toTiming } from "../options.js";
import { identityOf, sharedConnection } from "../registry.js";
import { CircuitBreaker } from "../resilience/circuit-breaker.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import { type Fetch, RestConnection, type RestSettings } from "./connection.js";

export type { Fetch } from "./connection.js";

/** Options of `rest()`. */
export interface RestOptions {
  /** The endpoint's URL. Give it here, or as the cache's location. @default the location */
  url?: string | undefined;
  /** The endpoint's token, which may read and write. */
  token: string;
  /** Sends the requests, for hosts whose `fetch` needs more options, such as Fastly's `backend`. @default the host's `fetch` */
  fetch?: Fetch | undefined;
  /** How long one round trip may take, as seconds or a duration string. @default "1s" */
  commandTimeout?: Duration | undefined;
  /** Send the token in clear text, by `http:`, also to other machines: in a private network. @default false */
  allowHttp?: boolean | undefined;
}

/**
 * Connections by `fetch` alone, for hosts without TCP: to Upstash, or to any server behind an Upstash-compatible proxy such
 * as serverless-redis-http. All that is sent in one turn of the event loop is one request.
 * @throws {ConfigurationError} on wrong options
 * @example
 * const { UPSTASH_REDIS_REST_URL: url = "", UPSTASH_REDIS_REST_TOKEN: token = "" } = process.env;
 * const cache = createCache({ connectionFactory: rest({ url, token }) });
 */
export function rest(options: RestOptions & { url: string }): ConnectionFactory & { readonly location: string };
export function rest(options: RestOptions): ConnectionFactory;
export function rest(options: RestOptions): ConnectionFactory {
  checkToken(options);
  checkOptions<RestOptions>("rest", options, {
    url: isUrl,
    token: null,
    fetch: isFunction,
    commandTimeout: isWait,
    allowHttp: isBoolean,
  });
  const { fetch: send = (url, init) => fetch(url, init), token, allowHttp = false } = options;
  const { commandTimeoutMs } = toTiming(options);
  const shares = !keepsRequestsApart();
  // Connections that live as long as a request share a circuit breaker with those before them.
  const breakers = new Map<string, CircuitBreaker>();
  return {
    shares,
    about: aboutOf("rest", { commandTimeout: options.commandTimeout, maxIdle: null }),
    location: options.url,
    connect(location, invocation) {
      const name = location.display;
      const settings: RestSettings = { name, url: toUrl(location, allowHttp), token, commandTimeoutMs };
      if (!shares && invocation.scope === "process") return outsideInvocation(name);
      const newBreaker = () => new CircuitBreaker(name, systemClock, 4 * commandTimeoutMs);
      const connection = (breaker: CircuitBreaker) =>
        new LazyConnection(async () => new RestConnection(settings, send), {
          ...settings,
          connectTimeoutMs: commandTimeoutMs,
          // There is no connection that could be idle or lost: `fetch` keeps those.
          maxIdleMs: Infinity,
          redial: false,
          clock: systemClock,
          breaker,
        });
      if (!shares) {
        const breaker = breakers.get(name) ?? newBreaker();
        breakers.set(name, breaker);
        return connection(breaker);
      }
      const key = `rest ${identityOf(options.fetch)} ${JSON.stringify(settings)}`;
      return sharedConnection(key, () => connection(newBreaker()));
    },
  };
}

const isUrl: Check = (value) =>
  typeof value === "string" && /^https?:/i.test(value) ? undefined : "the https:// URL of the endpoint";

/** Its own check, as no message may show a token. */
function checkToken(options: unknown): void {
  if (typeof options !== "object" || options === null) return;
  const token = "token" in options ? options.token : undefined;
  if (typeof token !== "string" || token === "") {
    throw new ConfigurationError(
      'rest: option "token" is missing; give the token of the endpoint, such as process.env.UPSTASH_REDIS_REST_TOKEN',
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new ConfigurationError(
      'rest: option "token" has a character that no HTTP field may have, such as a line break; give the token alone',
    );
  }
}

/** The endpoint's URL, without a slash at its end. @throws {ConfigurationError} */
function toUrl({ scheme, display, addresses, username, password, path }: Location, allowHttp: boolean): string {
  const [address, second] = addresses;
  const refuse = (problem: string): never => {
    throw new ConfigurationError(`location: ${problem}`);
  };
  if (!address || (scheme !== "https" && scheme !== "http"))
    return refuse(`rest() can't serve ${display}; give the https:// URL of an Upstash-compatible endpoint`);
  if (second) refuse(`${display} names several endpoints, and rest() has one; give one URL`);
  if (username !== undefined || password !== undefined)
    refuse(`${display} has credentials; leave them out, and give rest() the option "token"`);
  if (path.includes("?")) refuse(`${display} has a query; leave it out, and give a token by rest({ token })`);
  const { host, port } = address;
  if (scheme === "http" && !allowHttp && !isLocal(host))
    refuse(
      `${display} would send the token in clear text; give an https:// URL, or rest({ allowHttp: true }) in a private network`,
    );
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${path.replace(/\/+$/, "")}`;
}

function isLocal(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
