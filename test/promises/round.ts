import {
  type Cache,
  type CacheOptions,
  type ConnectionFactory,
  createCache,
  defaultClient,
  glide,
  glideCluster,
  herd,
  iovalkey,
} from "valkey-edge-cache";
import type { Log } from "./model.ts";
import { HOME, randomFrom } from "./operations.ts";
import { Player } from "./player.ts";

/** What happens around the calls: faults, and connections that write without the library. */
export type Weather = "calm" | "faults" | "foreign" | "faults, foreign";

/** Two caches that are called at random for a while. */
export interface Round {
  readonly transport: "memory" | "glide" | "iovalkey" | "cluster";
  readonly client: "default" | "herd";
  readonly weather: Weather;
  readonly seed: number;
  readonly forMs: number;
  readonly commandTimeoutMs: number;
  readonly waitTimeoutMs: number;
}

/** What one process of a round does. */
export interface Part {
  readonly round: Round;
  readonly cache: number;
  readonly location: string;
}

const CALLERS = 8;

/** A store in this process, and the errors that callers and `onError` got. */
export interface InProcess {
  readonly connectionFactory: ConnectionFactory;
  readonly heard: Set<unknown>;
}

/** Plays one cache of a round. */
export async function playPart({ round, cache: number, location }: Part, inProcess?: InProcess): Promise<Log> {
  const random = randomFrom(round.seed * 31 + number);
  const player = new Player(number, inProcess?.heard);
  const store = inProcess ? { connectionFactory: inProcess.connectionFactory } : {};
  const cache = openCache(round, { location, onError: player.onError, ...store });
  const log = await player.play(cache, { forMs: round.forMs, callers: CALLERS, random });
  return { ...log, storeErrors: [] };
}

export function openCache(round: Round, options: CacheOptions): Cache {
  const timeout = round.commandTimeoutMs / 1_000;
  // Neighbouring rounds differ in client and transport, so this changes from one series of them to the next.
  const background = Math.floor(round.seed / 7) % 2 === 0;
  const lease = {
    background,
    lease: 0.3,
    waitTimeout: round.waitTimeoutMs / 1_000,
    grace: 0.5,
    retryAfter: 0.1,
    hardTimeout: 2,
  };
  const timeouts = { commandTimeout: timeout, connectTimeout: timeout };
  const factories = {
    memory: undefined,
    glide: glide(timeouts),
    iovalkey: iovalkey(timeouts),
    cluster: glideCluster(timeouts),
  };
  const connectionFactory = factories[round.transport];
  return createCache({
    keyPrefix: HOME.prefix,
    version: HOME.version,
    ttl: 60,
    client: round.client === "herd" ? herd(lease) : defaultClient({ hardTimeout: 2 }),
    ignoreErrors: round.seed % 3 === 0,
    ...(connectionFactory ? { connectionFactory } : {}),
    ...options,
  });
}
