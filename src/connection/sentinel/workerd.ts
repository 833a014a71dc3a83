import type { ConnectionFactory } from "../../core/connection.js";
import { openIovalkey } from "../iovalkey/client.js";
import { overIovalkey, type SentinelOptions, sentinelFactory } from "./factory.js";

/** Like `sentinel()` on other hosts, over iovalkey. Each invocation asks the sentinels when it first uses its connection. */
export function sentinel(options: SentinelOptions): ConnectionFactory {
  return sentinelFactory(options, overIovalkey(openIovalkey));
}
