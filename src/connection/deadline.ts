/**
 * Settles as `work` does, or rejects with `late()` after `ms`. What `work` does after that is nobody's business.
 *
 * A timer that fires because the thread was blocked says nothing about the server: replies that came meanwhile are still
 * to be read. So the wait ends one turn of the event loop after the timer.
 */
export function withDeadline<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer = setTimeout(() => {
      timer = setTimeout(() => reject(late()), 1);
    }, ms);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
