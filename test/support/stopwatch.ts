/** Captured before any test installs fake timers. */
const { setInterval: every, clearInterval: clear } = globalThis;
const realNow = performance.now.bind(performance);

const STEP_MS = 5;
/** Timers are a little late on an idle machine, too. */
const TOLERANCE_MS = 3;

/**
 * Starts to measure how long calls take, without the time in which the machine did not run this process, so that a bound
 * holds on a busy machine, too.
 * @returns stops it at the first call, and gives the milliseconds
 */
export function stopwatch(): () => number {
  const startMs = realNow();
  let tickMs = startMs;
  let lateMs = 0;
  let ms: number | undefined;
  const tick = (): void => {
    const nowMs = realNow();
    const late = nowMs - tickMs - STEP_MS;
    if (late > TOLERANCE_MS) lateMs += late;
    tickMs = nowMs;
  };
  const timer = every(tick, STEP_MS);
  return () => {
    if (ms === undefined) {
      tick();
      clear(timer);
      ms = realNow() - startMs - lateMs;
    }
    return ms;
  };
}
