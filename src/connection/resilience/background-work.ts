/** Registers work that continues after its caller has an answer. */
export type TrackWork = (work: Promise<unknown>) => void;

/** Work that must end before a connection counts as closed, such as late dials and connections that were abandoned. */
export class BackgroundWork {
  readonly #running = new Set<Promise<void>>();

  readonly track: TrackWork = (work) => {
    const remove = (): void => void this.#running.delete(settled);
    const settled = work.then(remove, remove);
    this.#running.add(settled);
  };

  /** Resolves once all of it has settled. Never rejects. */
  async allSettled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
