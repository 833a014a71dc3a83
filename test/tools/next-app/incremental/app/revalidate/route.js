export { POST } from "../../revalidate.js";
