import type { Args } from "./args.js";
import { Bulk } from "./bulk.js";
import type { Answer, CommandTable } from "./command-table.js";
import { refusals } from "./refusals.js";
import type { Store } from "./store.js";

/** What a server answers without a key. */
export const server: CommandTable = {
  PING: [-1, ping],
  ECHO: [2, (_store, args) => args.bulk(1)],
  TIME: [1, time],
};

function ping(_store: Store, args: Args): Answer {
  if (args.length > 2) throw refusals.arity(args.name);
  return args.length === 1 ? "PONG" : args.bulk(1);
}

/** Seconds, and the microseconds beside them. */
function time(store: Store): Answer {
  const ms = Math.floor(store.nowMs);
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000].map((part) => Bulk.from(String(part)));
}
