export {
  lambdaHandler,
  type RequestHandlerOptions,
  requestHandler,
  type WorkerContext,
  type WorkerHandler,
  workerHandler,
} from "./hosts/handlers.js";
export type { CacheSource, WaitUntil } from "./hosts/with-cache.js";
