/** What one of many processes is told to do. */
export interface Orders {
  readonly key: string;
  /** When all begin, in milliseconds since the epoch. */
  readonly startAtMs: number;
  /** Callers on each of the process's connections. */
  readonly callers: number;
  /** How long each caller asks again and again; 0 asks once. */
  readonly forMs: number;
  /** Lifetime of what is loaded, in seconds. */
  readonly ttl: number;
  /** How long the loader takes. */
  readonly loadMs: number;
}

/** What it saw of that. */
export interface Sightings {
  readonly loads: number;
  /** Values that a caller was answered with, each once. */
  readonly values: readonly string[];
  /** How long the slowest call took. */
  readonly longestMs: number;
  /** How often who asked had to wait for another's load. */
  readonly waits: number;
  /** How often what was loaded was not stored, as the lease was lost. */
  readonly fenced: number;
}

/** Said when a load begins, before anything else. */
export interface Begun {
  readonly loading: string;
}
