const entries = new Map();

/** Keeps pages in a Map: no handler of an application's own can do less. */
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
