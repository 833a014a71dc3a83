/**
 * Where the rotations of a text begin, in the order of what they read. They are sorted by their first byte, then by twice
 * as many bytes each time, from the ranks of the halves: in time n log n for any text, however it repeats itself.
 */
export function sortRotations(text: Uint8Array): Uint32Array {
  const length = text.length;
  const wrap = (index: number): number => (index < length ? index : index - length);
  let order = sortByRank(
    Uint32Array.from(text, (_, index) => index),
    Uint32Array.from(text),
    256,
  );
  let { ranks, count } = rank(order, (a, b) => text[a] === text[b]);
  for (let known = 1; known < length && count < length; known *= 2) {
    // In the order of their second halves; then by their first halves, which leaves equal ones in that order.
    order = sortByRank(
      order.map((start) => wrap(start + length - known)),
      ranks,
      count,
    );
    const halves = ranks;
    ({ ranks, count } = rank(
      order,
      (a, b) => halves[a] === halves[b] && halves[wrap(a + known)] === halves[wrap(b + known)],
    ));
  }
  return order;
}

/** Stable, by counting how many there are of each rank. */
function sortByRank(items: Uint32Array, ranks: Uint32Array, count: number): Uint32Array {
  const places = new Uint32Array(count + 1);
  for (const rank of ranks) places[rank + 1] = (places[rank + 1] as number) + 1;
  for (let rank = 1; rank < count; rank++) places[rank] = (places[rank] as number) + (places[rank - 1] as number);
  const sorted = new Uint32Array(items.length);
  for (const item of items) {
    const rank = ranks[item] as number;
    const place = places[rank] as number;
    places[rank] = place + 1;
    sorted[place] = item;
  }
  return sorted;
}

/** Numbers the sorted from 0, equal ones alike; `count` is how many different ones there are. */
function rank(order: Uint32Array, equal: (a: number, b: number) => boolean): { ranks: Uint32Array; count: number } {
  const ranks = new Uint32Array(order.length);
  let count = 0;
  for (let index = 0; index < order.length; index++) {
    const item = order[index] as number;
    if (index === 0 || !equal(item, order[index - 1] as number)) count++;
    ranks[item] = count - 1;
  }
  return { ranks, count };
}
