export { msgpack } from "./serializers/msgpack.js";
