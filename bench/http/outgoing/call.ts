/** Ways to send outgoing calls; the first is the baseline. */
export const callerNames = [
  "fetch",
  "undici fetch, interceptors.cache()",
  "undici fetch, cache() and deduplicate()",
  "undici request, interceptors.cache()",
  "cachedFetch",
  "cachedFetch, near cache",
] as const;

export type CallerName = (typeof callerNames)[number];

/** Sends one GET. */
export type Call = (url: string, init?: { readonly signal?: AbortSignal }) => Promise<Received>;

/** As much of a response as the benches read. */
export interface Received {
  readonly body: { cancel(): Promise<unknown> } | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Opens one way to send outgoing calls. */
export type OpenCall = (name: CallerName, location: string) => Promise<Call>;

/** When and what one process of many calls. */
export interface Orders {
  readonly url: string;
  /** In milliseconds since the epoch. */
  readonly startAtMs: number;
  readonly calls: number;
}
