/**
 * The state machine of one key during a call of `getOrSet` or `getOrSetMany`: state, event, next state. Both methods
 * follow it; they differ in how they batch round trips and loader calls. docs/herd.md has it as a diagram.
 */
export const TRANSITIONS = {
  /** Reads the entry, and takes the lease if there is none, in one round trip. */
  Lookup: {
    /** There was no entry, and the lease was taken. */
    claimed: "Loading",
    fresh: "Answered",
    /** Fresh, and to be refreshed before it expires. */
    early: "Refreshing",
    stale: "Refreshing",
    /** Past its grace. */
    expired: "Claiming",
    /** Another caller holds the lease, and there is no value to answer. */
    leased: "Waiting",
    /** The call loads although there is a value. */
    forced: "Claiming",
    unreadable: "Seizing",
    /** The store fails, or the entry was written in a newer format. */
    unavailable: "LoadingAlone",
  },
  /** Takes the lease on an entry that has a value. */
  Claiming: { won: "Loading", lost: "Waiting", unavailable: "LoadingAlone" },
  /** Replaces an unreadable entry by a placeholder. */
  Seizing: { won: "Loading", lost: "Waiting", unavailable: "LoadingAlone" },
  /** Polls until the lease holder has stored its value. */
  Waiting: { poll: "Lookup", timeout: "LoadingAlone", aborted: "Failed" },
  /** Answers the old value and loads a new one in the background, if the lease can be had. */
  Refreshing: { answered: "Answered" },
  /** Runs the loader under the lease, and stores its value. */
  Loading: { loaded: "Answered", fenced: "Lookup", failed: "Failed" },
  /** Runs the loader without a lease, and stores nothing. */
  LoadingAlone: { loaded: "Answered", failed: "Failed" },
} as const;

type Transitions = typeof TRANSITIONS;
export type State = keyof Transitions | "Answered" | "Failed";

/** The state after an event. */
export function next<S extends keyof Transitions, E extends keyof Transitions[S]>(
  state: S,
  event: E,
): Transitions[S][E] {
  return TRANSITIONS[state][event];
}

/** How often a load is restarted after its lease was lost. */
const MAX_RESTARTS = 3;

/**
 * What a failed load under a lease means: `fenced` if the loader stopped because its leases were lost, so that the entry
 * is looked up again; else `failed`.
 */
export function failedLoad(load: {
  /** All leases of the load were lost. */
  readonly isLost: boolean;
  /** The last caller has left. */
  readonly isAborted: boolean;
  readonly restarts: number;
}): "fenced" | "failed" {
  return load.isLost && !load.isAborted && load.restarts < MAX_RESTARTS ? "fenced" : "failed";
}
