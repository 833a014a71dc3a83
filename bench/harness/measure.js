import { median, quantile } from "./statistics.ts";
/**
 * Runs all contenders in turn, round after round, and compares each with the first one in the same round. What else the
 * machine does meanwhile then slows down neighbours alike, and a bad moment is one round of many.
 */
export async function compare(contenders, callers, { rounds, sliceMs }) {
    for (const contender of contenders)
        await slice(contender, callers, sliceMs);
    const slices = new Map(contenders.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++) {
        // There and back again: a machine that gets slower favours nobody.
        const order = round % 2 === 0 ? contenders : contenders.toReversed();
        for (const contender of order)
            slices.get(contender.name)?.push(await slice(contender, callers, sliceMs));
    }
    const baseline = slices.get(contenders[0]?.name ?? "") ?? [];
    return [...slices].map(([name, own]) => {
        const ratios = own.map(({ perSecond }, round) => perSecond / (baseline[round]?.perSecond ?? Number.NaN));
        return {
            name,
            perSecond: median(own.map(({ perSecond }) => perSecond)),
            cpuMicros: median(own.map(({ cpuMicros }) => cpuMicros)),
            ratio: median(ratios),
            low: quantile(ratios, 0.25),
            high: quantile(ratios, 0.75),
        };
    });
}
/** What so many callers do in that time, each with one call under way at any moment. */
async function slice({ call }, callers, sliceMs) {
    // What one contender left behind is not for the next one to clear away.
    globalThis.gc?.();
    let calls = 0;
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    const endMs = startMs + sliceMs;
    const caller = async () => {
        do {
            await call();
            calls++;
        } while (performance.now() < endMs);
    };
    await Promise.all(Array.from({ length: callers }, caller));
    const { user, system } = process.cpuUsage(cpu);
    return { perSecond: (calls * 1_000) / (performance.now() - startMs), cpuMicros: (user + system) / calls };
}
