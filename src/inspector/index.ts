export type { CacheSource } from "../hosts/with-cache.js";
export { reportStatistics } from "../inspect/fleet.js";
export type { Progress, PurgeTarget } from "../inspect/port.js";
export { inspector } from "./inspector.js";
export type { InspectorChange, InspectorOptions } from "./options.js";
