import { common } from "./config.mjs";

export default { ...common, images: { customCacheHandler: true } };
