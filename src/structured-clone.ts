export { structuredClone } from "./serializers/structured-clone.js";
