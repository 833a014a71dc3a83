import { setTimeout as sleep } from "node:timers/promises";
/** How long a load takes, in milliseconds. */
export const LOAD_MS = 300;
/** Begins at the time that all processes agreed on, and counts. */
export async function play({ getOrSet }, orders) {
    let loads = 0;
    const load = async () => {
        loads++;
        await sleep(LOAD_MS);
        return { key: orders.key, name: "Reykjavik", loadedAt: Date.now() };
    };
    const waits = [];
    const ask = async () => {
        const start = performance.now();
        const value = await getOrSet(orders.key, load);
        waits.push(performance.now() - start);
        if (!isFor(orders.key, value))
            throw new Error(`a wrong answer: ${JSON.stringify(value)}`);
    };
    const caller = async (i) => {
        // Callers that go on and on don't do so in step.
        if (orders.forMs > 0)
            await sleep((orders.pauseMs * i) / orders.callers);
        const endMs = performance.now() + orders.forMs;
        do {
            await ask();
            if (orders.forMs > 0)
                await sleep(orders.pauseMs);
        } while (performance.now() < endMs);
    };
    await sleep(Math.max(0, orders.startAtMs - Date.now()));
    await Promise.all(Array.from({ length: orders.callers }, (_caller, i) => caller(i)));
    // What still loads in the background is to be counted, and stored.
    await sleep(LOAD_MS + 200);
    return { loads, waits };
}
function isFor(key, value) {
    return typeof value === "object" && value !== null && "key" in value && value.key === key;
}
