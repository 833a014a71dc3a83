import { joinParts } from "../core/text.js";
import { forwardedUrl } from "./forwarded.js";
import type { Host } from "./host.js";
import type { Settings } from "./options.js";
import { ClientRequest } from "./plain-request.js";
import { fieldValue, type RequestHead } from "./rfc/message.js";
import { cacheKey, isRoutedAs, type Target, toTarget, withQuery } from "./rfc/target.js";

/** A request, and the host that it came from. */
export interface Exchange {
  /** Its URL is the one that the origin routes by. */
  readonly request: RequestHead;
  /** The URL that the client asked for, where the origin is mounted under a path that its own URLs lack. @default the request's */
  readonly originalUrl?: string | undefined;
  /** The URL of the request that this one was made for, where the response may depend on it. It is part of the key. @default none */
  readonly within?: string | undefined;
  readonly hasBody: boolean;
  /** Replaces the URL in the key. @default the URL */
  readonly key?: string | undefined;
  /** Why the host keeps this request out of the cache: it is neither answered from the store nor stored. @default it does not */
  readonly bypass?: string | undefined;
  /** The request is the application's own, not a client's: a background refresh carries all of its fields. @default false */
  readonly isOwn?: boolean | undefined;
  readonly host: Host;
}

export interface Located {
  readonly key: string;
  readonly target: Target;
  /** The URL that the origin gets: the target's, without the path of a mount. */
  readonly originUrl: string;
}

/** Where the client's URL comes from. */
export type Asked = Pick<Exchange, "request"> & Partial<Pick<Exchange, "originalUrl">>;

/** Finds the target and the key of requests and of URLs: the one place where they are decided. */
export class Locator {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The key of a URL; `undefined` where it is never stored. */
  keyOf(url: string): string | undefined {
    const keyed = cacheKey(url, this.#settings);
    return "key" in keyed ? keyed.key : undefined;
  }

  /** The key of a request and the URL for the origin; `undefined` where the response can't be stored. */
  locate(exchange: Exchange): Located | undefined {
    const { request, originalUrl, within, key } = exchange;
    const { query } = this.#settings;
    const asked = this.askedUrl(exchange);
    const keyed = asked === undefined ? undefined : cacheKey(asked, this.#settings);
    if (!keyed || "refused" in keyed) return undefined;
    const { target } = keyed;
    const routed = originalUrl === undefined && asked === request.url && !query ? target : toTarget(request.url);
    if (!routed || !isRoutedAs(request.url, routed)) return undefined;
    // The origin's own routes may have led to the mount by the path as it came.
    if (originalUrl !== undefined && !isWritten(originalUrl)) return undefined;
    const path = originalUrl === undefined ? target.path : query ? withQuery(routed, query).path : routed.path;
    const whole = within === undefined ? keyed.key : joinParts([keyed.key, within]);
    const originUrl = `${target.scheme}://${target.host}${path}`;
    return { key: key === undefined ? whole : ownKey(key), target, originUrl };
  }

  /** The URL that the client asked for; `undefined` where a trusted proxy says something invalid. */
  askedUrl({ request, originalUrl }: Asked): string | undefined {
    const url = originalUrl ?? request.url;
    const { trust } = this.#settings;
    if (!trust) return url;
    const fieldOf = (name: string): string | undefined =>
      request instanceof ClientRequest ? request.value(name) : fieldValue(request.fields, name);
    return forwardedUrl(url, fieldOf, trust);
  }
}

/** Whether a URL's path is written as the URL standard does, so that a router has seen the same one. */
function isWritten(url: string): boolean {
  const target = toTarget(url);
  return target !== undefined && isRoutedAs(url, target);
}

/** A key that the host has made. */
export function ownKey(key: string): string {
  return joinParts(["key", key]);
}
