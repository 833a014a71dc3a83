/** Takes work that goes on after its caller has an answer. */
export type Until = (work: Promise<unknown>) => void;

/** What has to end before a closed connection is gone: late dials, and connections that were given up. */
export class Endings {
  readonly #underway = new Set<Promise<void>>();

  readonly add: Until = (work) => {
    const over = (): void => void this.#underway.delete(ended);
    const ended = work.then(over, over);
    this.#underway.add(ended);
  };

  /** Resolves once all of it has ended, however it ends. */
  async all(): Promise<void> {
    while (this.#underway.size > 0) await Promise.all(this.#underway);
  }
}
