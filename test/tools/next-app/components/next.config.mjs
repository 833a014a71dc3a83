import { common } from "./config.mjs";

export default {
  ...common,
  cacheComponents: true,
  partialPrefetching: true,
  cacheLife: { brief: { stale: 30, revalidate: 1, expire: 3 }, refreshed: { stale: 30, revalidate: 1, expire: 3600 } },
};
