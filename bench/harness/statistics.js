/** The value that this part of the sample lies below, between its neighbours where it falls between two. */
export function quantile(sample, part) {
    const sorted = sample.toSorted((a, b) => a - b);
    const position = (sorted.length - 1) * part;
    const below = sorted[Math.floor(position)] ?? Number.NaN;
    const above = sorted[Math.ceil(position)] ?? Number.NaN;
    return below + (above - below) * (position - Math.floor(position));
}
export function median(sample) {
    return quantile(sample, 0.5);
}
