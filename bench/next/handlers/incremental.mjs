const entries = new Map();

/** Keeps pages in a Map: the least that handlers of an application's own can do. */
export default class MapHandler {
  async get(key) {
    return entries.get(key) ?? null;
  }
  async set(key, value, { cacheControl }) {
    entries.set(key, { value, lastModified: Date.now(), cacheControl });
  }
  async revalidateTag() {}
  resetRequestCache() {}
}
