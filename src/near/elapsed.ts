/** The two clocks of a host, in milliseconds. The monotonic one may stand still while the machine sleeps; the other may be set. */
export interface Clocks {
  readonly monotonic: () => number;
  readonly wall: () => number;
}

const HOST: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() };

/** How far apart the clocks may drift, in milliseconds, before they are set to the same moment again. The wall clock counts whole ones. */
const APART_MS = 2;

/**
 * Time that has passed: the larger of what the two clocks say, so that neither a frozen process, nor a sleeping machine, nor a
 * clock that was set makes an entry look younger than it is. Between any two moments it is at most `APART_MS` less than that.
 */
export class Elapsed {
  readonly #clocks: Clocks;
  readonly #onStepBack: () => void;
  #monotonic0: number;
  #wall0: number;
  /** The wall clock, as `now` has read it last. */
  wallMs: number;

  /** @param onStepBack called when the wall clock was set back: how old things are is not known any more */
  constructor(onStepBack: () => void = () => {}, clocks: Clocks = HOST) {
    this.#clocks = clocks;
    this.#onStepBack = onStepBack;
    this.#monotonic0 = clocks.monotonic();
    this.#wall0 = this.wallMs = clocks.wall();
  }

  /** Milliseconds since some moment. It never goes back. */
  now(): number {
    const wall = this.#clocks.wall();
    const byMonotonic = this.#clocks.monotonic() - this.#monotonic0;
    const isStepBack = wall < this.wallMs;
    const byWall = (isStepBack ? this.wallMs : wall) - this.#wall0;
    const now = byWall > byMonotonic ? byWall : byMonotonic;
    const ahead = byWall - byMonotonic;
    this.wallMs = wall;
    // A clock that has fallen behind would have to catch up before what it says counts.
    if (isStepBack || ahead > APART_MS || ahead < -APART_MS) {
      this.#monotonic0 += byMonotonic - now;
      this.#wall0 = wall - now;
    }
    if (isStepBack) this.#onStepBack();
    return now;
  }
}
