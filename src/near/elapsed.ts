/** The two clocks of a host, in milliseconds. The monotonic one may stand still while the machine sleeps; the other may be set. */
export interface Clocks {
  readonly monotonic: () => number;
  readonly wall: () => number;
}

const HOST: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() };

/**
 * Time that has passed: the larger of what the two clocks say, so that neither a frozen process, nor a sleeping machine, nor a
 * clock that was set makes an entry look younger than it is.
 */
export class Elapsed {
  readonly #clocks: Clocks;
  readonly #onStepBack: () => void;
  #monotonic0: number;
  #wall0: number;
  #lastWall: number;

  /** @param onStepBack called when the wall clock was set back: how old things are is not known any more */
  constructor(onStepBack: () => void = () => {}, clocks: Clocks = HOST) {
    this.#clocks = clocks;
    this.#onStepBack = onStepBack;
    this.#monotonic0 = clocks.monotonic();
    this.#wall0 = this.#lastWall = clocks.wall();
  }

  /** Milliseconds since some moment. It never goes back. */
  now(): number {
    const wall = this.#clocks.wall();
    const byMonotonic = this.#clocks.monotonic() - this.#monotonic0;
    if (wall < this.#lastWall) return this.#stepBack(wall, byMonotonic);
    this.#lastWall = wall;
    const byWall = wall - this.#wall0;
    return byWall > byMonotonic ? byWall : byMonotonic;
  }

  /** Goes on from the latest moment that was told. */
  #stepBack(wall: number, byMonotonic: number): number {
    const now = Math.max(byMonotonic, this.#lastWall - this.#wall0);
    this.#monotonic0 += byMonotonic - now;
    this.#wall0 = wall - now;
    this.#lastWall = wall;
    this.#onStepBack();
    return now;
  }
}
