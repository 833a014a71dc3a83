import type { HttpCacheOptions } from "../../src/http/index.js";
import type { Cache } from "../../src/index.js";

/** The host that requests are for, unless they say otherwise. */
export const SHOP = "shop.example";

/** A request as a client writes it, well-formed or not. */
export interface Attack {
  /** @default "GET" */
  readonly method?: string;
  /** The request target, as it stands in the request line. @default "/" */
  readonly target?: string;
  /** The Host field, or `:authority`. @default SHOP */
  readonly host?: string;
  readonly fields?: Iterable<readonly [string, string]> | Record<string, string>;
  readonly body?: string;
}

export interface Got {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** The cache's own part of Cache-Status. */
  readonly how: string;
}

/** What a framework shows a handler of a request, besides the web request that is made of it. */
export interface Shown {
  /** The path as the framework's router sees it, without the query. */
  readonly path: string;
  /** Views of the target, by their names in the framework. */
  target(): Readonly<Record<string, unknown>>;
  /** The values of a header field, from each place where the framework has them. */
  values(name: string): readonly string[];
  /** The request's body, also of a method that a web request has none with. */
  body(): Promise<string>;
  /** What middleware outside the cache has kept for the handler. */
  readonly kept: string | undefined;
}

export type Handler = (request: Request, shown: Shown) => Response | Promise<Response>;

/** What middleware outside the cache does before it goes on. */
export interface Outside {
  /** Fields that it sets on the response. */
  readonly fields?: Readonly<Record<string, string>>;
  /** What it keeps for the handler. */
  readonly kept?: string;
}

/** Options that every host has, besides those of the engine. */
export interface SiteOptions extends HttpCacheOptions {
  readonly cacheControl?: string;
  readonly vary?: string | readonly string[];
}

/** A handler behind the HTTP cache. */
export interface SiteInit {
  readonly cache: Cache;
  /** `onError` collects errors, unless it is given. */
  readonly options?: SiteOptions;
  /** Errors that it throws reach the client as status 500. */
  readonly handler: Handler;
  /** Middleware before the cache, which sees each request as its client has sent it. @default none */
  readonly outside?: (request: Request) => Outside;
  /** Makes the key. @default the URL */
  readonly keyGenerator?: (request: Request) => string;
  /** The path under which the cache and the handler are mounted, for hosts with `mounts`. @default the root */
  readonly mount?: string;
  /** Is given what goes on after answers. @default the host's own way */
  readonly waitUntil?: (work: Promise<unknown>) => void;
}

type SoftOption = { soft?: boolean };

/** A running application. */
export interface Opened extends AsyncDisposable {
  /** Status 0 stands for a request that the server has ended without a response. */
  send(attack?: Attack): Promise<Got>;
  /** The absolute URL of a target, as `purge` takes it. */
  purge(url: string, options?: SoftOption): Promise<number>;
  purgeTags(tags: readonly string[], options?: SoftOption): Promise<void>;
  purgeGroups(origin: string, groups: readonly string[], options?: SoftOption): Promise<void>;
  purgePrefix(url: string, options?: SoftOption): Promise<void>;
  /** What `onError` was called with. */
  readonly errors: readonly unknown[];
  /** The server, where there is one that takes any bytes. */
  readonly raw: RawServer | undefined;
}

/** A server that takes any bytes. */
export interface RawServer {
  readonly port: number;
  /** Sends bytes as they are. @returns what has come back until the server has closed the connection */
  sendText(request: string): Promise<string>;
}

export interface Abilities {
  /** How requests reach it. */
  readonly protocol: "in process" | "HTTP/1.1" | "HTTP/2";
  /** Whether it refreshes stale responses in the background. */
  readonly refreshes: boolean;
  /** Whether middleware can stand outside of the cache, and set fields on the response before. */
  readonly outside: boolean;
  /** Whether an application can be mounted under a path. */
  readonly mounts: boolean;
}

/** One way to put the HTTP cache in front of a handler, and for requests to reach it. */
export interface HttpHost extends Abilities {
  readonly name: string;
  open(site: SiteInit): Promise<Opened>;
}
