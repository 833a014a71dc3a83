import { nextTurn } from "../core/async.js";
import type { Age, Found, Reading, Storing } from "./entries.js";
import type { Fields } from "./frame.js";
import type {
  CacheControl,
  IncrementalCacheHandler,
  IncrementalCacheHandlerClass,
  IncrementalContext,
  IncrementalEntry,
  IncrementalGetContext,
  IncrementalSetContext,
  IncrementalValue,
} from "./incremental-port.js";
import { prerendered } from "./prerendered.js";
import type { Durations } from "./purges.js";
import { type NextHandlerOptions, type OpenStore, type Store, toStore } from "./setup.js";

/**
 * A class for `cacheHandler` in Next's configuration: make it in a file that this names.
 * @throws {ConfigurationError} on wrong options
 * @example export default incrementalCacheHandler({ location: "valkey://localhost:6379", nearCache: nearCache() });
 */
export function incrementalCacheHandler(options: NextHandlerOptions): IncrementalCacheHandlerClass {
  return handlerClass(toStore("incrementalCacheHandler", options));
}

/** @internal */
export function handlerClass(open: OpenStore): IncrementalCacheHandlerClass {
  return class ValkeyIncrementalCache implements IncrementalCacheHandler {
    readonly #store: Store | undefined;
    readonly #context: IncrementalContext;
    /** Next serves a stale page to a prefetch without generating it again. */
    readonly #isPrefetch: boolean;

    constructor(context: IncrementalContext) {
      const { serverDistDir, _requestHeaders: headers = {} } = context;
      this.#context = context;
      this.#store = open(serverDistDir);
      this.#isPrefetch = headers["next-router-prefetch"] === "1" || headers.purpose === "prefetch";
    }

    async get(cacheKey: string, context: IncrementalGetContext) {
      const store = this.#store;
      if (!store) return null;
      const firstUsed = store.builds.note();
      const isFetch = context.kind === "FETCH";
      const reading: Reading = {
        tags: isFetch ? [...(context.tags ?? []), ...(context.softTags ?? [])] : [],
        age: (fields) => ageOf(fields, context),
        isShared: isFetch,
        generates: isFetch || !this.#isPrefetch,
        ...(!isFetch && {
          ready: async () => {
            const page = await prerendered(this.#context, cacheKey, context);
            const stamp = page && (await firstUsed);
            return page && stamp && { ...toStoring(page.value, page, store), stamp };
          },
        }),
      };
      const found = await store.entries.get(store.builds.name(placeOf(context.kind), cacheKey), reading);
      // Next gives one entry to all requests for a page that come while it waits for it (`npm run bench next`).
      if (!isFetch) await nextTurn();
      return found ? toResult(found, context) : null;
    }

    async set(cacheKey: string, value: IncrementalValue | null, context: IncrementalSetContext): Promise<void> {
      const store = this.#store;
      if (!store) return;
      const kind = context.fetchCache ? "FETCH" : (value?.kind ?? context.kind);
      const name = store.builds.name(placeOf(kind), cacheKey);
      await store.entries.set(name, async () => toStoring(value, context, store));
    }

    async revalidateTag(tags: string | string[], durations?: Durations): Promise<void> {
      await this.#store?.purges.add([tags].flat(), durations);
    }

    resetRequestCache(): void {}
  };
}

/** Where Next's tags of a page are. */
const TAGS_FIELD = "x-next-cache-tags";

interface Lifetime {
  readonly lastModified: number;
  readonly cacheControl?: CacheControl;
}

/** Only `set` writes these keys. */
function lifetimeOf(fields: Fields): Lifetime & { readonly revalidate?: number | false } {
  return fields as unknown as Lifetime;
}

/** After how many seconds Next generates it again. */
function revalidateOf(fields: Fields, context: IncrementalGetContext): number | false {
  const { cacheControl, revalidate = false } = lifetimeOf(fields);
  if (context.kind === "FETCH") return context.revalidate || revalidate;
  return cacheControl?.revalidate ?? false;
}

function ageOf(fields: Fields, context: IncrementalGetContext): Age {
  const { lastModified, cacheControl } = lifetimeOf(fields);
  const ageMs = Date.now() - lastModified;
  if (ageMs > (cacheControl?.expire ?? Infinity) * 1_000) return "gone";
  const revalidate = revalidateOf(fields, context);
  return revalidate !== false && ageMs > revalidate * 1_000 ? "stale" : "fresh";
}

/** The entry in the form in which Next finds it fresh or stale, as it compares its time with its lifetime. */
function toResult({ fields, state }: Found, context: IncrementalGetContext): IncrementalEntry<never> {
  const { lastModified, cacheControl } = lifetimeOf(fields);
  const entry: IncrementalEntry<never> = {
    lastModified,
    value: toValue(fields) as never,
    ...(cacheControl && { cacheControl }),
  };
  if (state === "refreshing") return { ...entry, lastModified: Date.now() };
  if (state === "fresh" || ageOf(fields, context) === "stale") return entry;
  // Made stale by a purge.
  const revalidate = revalidateOf(fields, context);
  if (context.kind === "FETCH") return { ...entry, lastModified: Date.now() - (Number(revalidate) + 1) * 1_000 };
  const soon = { expire: cacheControl?.expire, revalidate: 1 };
  return { ...entry, cacheControl: soon, lastModified: Math.min(lastModified, Date.now() - 2_000) };
}

/** Values that were read already, as a near cache keeps their fields. */
const values = new WeakMap<Fields, unknown>();

function toValue(fields: Fields): unknown {
  const known = values.get(fields);
  if (known) return known;
  const { lastModified: _at, cacheControl: _control, ...value } = fields;
  const made = value.kind === undefined ? null : value.kind === "FETCH" ? toFetched(value) : value;
  if (made) values.set(fields, made);
  return made;
}

function toStoring(
  value: IncrementalValue | null,
  context: IncrementalSetContext & { lastModified?: number },
  { builds, maxTtlMs }: Store,
): Storing {
  const { revalidate = false, cacheControl = { revalidate, expire: undefined }, lastModified = Date.now() } = context;
  const fields = value?.kind === "FETCH" ? fromFetched(value) : { ...value };
  const header: unknown = Object(fields.headers)[TAGS_FIELD];
  const tags = context.fetchCache ? (context.tags ?? []) : typeof header === "string" ? header.split(",") : [];
  return {
    fields: { ...fields, lastModified, ...(context.fetchCache ? {} : { cacheControl }) },
    tags: [...tags, builds.tag],
    ttlMs: Math.min((cacheControl.expire ?? Infinity) * 1_000, maxTtlMs),
  };
}

/** A fetched response with its body as bytes: Next has it in Base64, but for what `unstable_cache` stores. */
function fromFetched(value: IncrementalValue): Record<string, unknown> {
  const { data, ...rest } = value as IncrementalValue & { data: { body: string } };
  const { body, ...head } = data;
  const bytes = Buffer.from(body, "base64");
  const isBase64 = bytes.toString("base64") === body;
  return { ...rest, data: head, body: isBase64 ? bytes : body };
}

function toFetched({ body, data, ...rest }: Record<string, unknown>): unknown {
  return { ...rest, data: { ...Object(data), body: Buffer.isBuffer(body) ? body.toString("base64") : body } };
}

/** Keys of pages and of fetched responses may be the same. */
function placeOf(kind: string | undefined): string {
  return kind === "FETCH" ? "fetch" : kind === "IMAGE" ? "image" : "page";
}
