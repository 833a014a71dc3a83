export { GET } from "../../draft.js";
