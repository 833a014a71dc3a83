export {
  type HandlerOptions,
  lambdaHandler,
  type RequestHandlerOptions,
  requestHandler,
  type WorkerContext,
  type WorkerHandler,
  workerHandler,
} from "./handlers.js";
export type { CacheSource, WaitUntil } from "./with-cache.js";
