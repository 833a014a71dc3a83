/** Taken before any test fakes them. */
const realSetTimeout = globalThis.setTimeout;
const realNow = performance.now.bind(performance);
/**
 * Asks again and again until the answer is truthy, and gives that answer. An error counts as "not yet".
 * Works under fake timers, too.
 */
export async function until(condition, options) {
    const { what, timeoutMs = 5_000, everyMs = 10 } = options;
    const endMs = realNow() + timeoutMs;
    let last;
    let cause;
    do {
        try {
            cause = undefined;
            last = await condition();
            if (last)
                return last;
        }
        catch (error) {
            cause = error;
        }
        await new Promise((resolve) => realSetTimeout(resolve, everyMs));
    } while (realNow() < endMs);
    const got = cause instanceof Error ? `the last try failed: ${cause.message}` : `the last answer was ${String(last)}`;
    throw new Error(`waited ${timeoutMs} ms for ${what}; ${got}`, { cause });
}
