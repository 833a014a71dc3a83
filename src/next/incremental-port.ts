import type { Durations } from "./purges.js";

/** What Next gives the handler of each request. */
export interface IncrementalContext {
  /** Functions that read files. */
  fs?: object | undefined;
  serverDistDir?: string | undefined;
  _requestHeaders?: Readonly<Record<string, string | string[] | undefined>> | undefined;
}

/** How long Next uses a page, in seconds. */
export interface CacheControl {
  revalidate: number | false;
  expire: number | undefined;
}

/** A page, a response, an image or a fetched response, as Next has it. */
export interface IncrementalValue {
  kind: string;
}

/** What Next says of what it reads. */
export interface IncrementalGetContext {
  kind?: string | undefined;
  revalidate?: number | false | undefined;
  tags?: string[] | undefined;
  softTags?: string[] | undefined;
}

/** What Next says of what it stores. */
export interface IncrementalSetContext {
  fetchCache?: boolean | undefined;
  kind?: string | undefined;
  tags?: string[] | undefined;
  cacheControl?: CacheControl | undefined;
  revalidate?: number | false | undefined;
}

/** What Next reads. */
export interface IncrementalEntry<Value> {
  lastModified: number;
  value: Value | null;
  cacheControl?: CacheControl;
}

/** What Next calls for pages, route handlers, fetched responses and images. */
export interface IncrementalCacheHandler {
  /** The value is of a type of Next's, which this package doesn't import: `never` can be assigned to all of them. */
  get(cacheKey: string, context: IncrementalGetContext): Promise<IncrementalEntry<never> | null>;
  set(cacheKey: string, value: IncrementalValue | null, context: IncrementalSetContext): Promise<void>;
  revalidateTag(tags: string | string[], durations?: Durations): Promise<void>;
  resetRequestCache(): void;
}

/** The class that Next makes a handler of for each request. */
export type IncrementalCacheHandlerClass = new (context: IncrementalContext) => IncrementalCacheHandler;
