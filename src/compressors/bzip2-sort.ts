/**
 * Where the rotations of a text begin, in the order of what they read. They are sorted by their first byte, then by twice
 * as many bytes each time, from the ranks of the halves: in time n log n for any text, however it repeats itself.
 */
export function sortRotations(text: Uint8Array): Uint32Array {
  let order = sortByRank(identityOrder(text.length), 0, Uint32Array.from(text), 256);
  let { ranks, count } = rankPairs(order, 0, Uint32Array.from(text));
  for (let known = 1; known < text.length && count < text.length; known *= 2) {
    // Those sorted by what are now second halves, by their first halves, which leaves equal ones in that order.
    order = sortByRank(order, known, ranks, count);
    ({ ranks, count } = rankPairs(order, known, ranks));
  }
  return order;
}

function identityOrder(length: number): Uint32Array {
  const order = new Uint32Array(length);
  for (let index = 0; index < length; index++) order[index] = index;
  return order;
}

/** The rotations that begin `back` before those of `order`, by rank: a stable sort that counts how many there are of each. */
function sortByRank(order: Uint32Array, back: number, ranks: Uint32Array, count: number): Uint32Array {
  const length = order.length;
  const places = new Uint32Array(count + 1);
  for (let start = 0; start < length; start++) {
    const next = (ranks[start] as number) + 1;
    places[next] = (places[next] as number) + 1;
  }
  for (let rank = 1; rank < count; rank++) places[rank] = (places[rank] as number) + (places[rank - 1] as number);
  const sorted = new Uint32Array(length);
  for (let index = 0; index < length; index++) {
    let start = (order[index] as number) - back;
    if (start < 0) start += length;
    const rank = ranks[start] as number;
    const place = places[rank] as number;
    places[rank] = place + 1;
    sorted[place] = start;
  }
  return sorted;
}

/** Numbers sorted rotations by the ranks of their halves, equal ones alike; `count` is how many different ones there are. */
function rankPairs(order: Uint32Array, half: number, halves: Uint32Array): { ranks: Uint32Array; count: number } {
  const length = order.length;
  const ranks = new Uint32Array(length);
  let [count, first, second] = [0, -1, -1];
  for (let index = 0; index < length; index++) {
    const start = order[index] as number;
    const middle = start + half;
    const rank = halves[start] as number;
    const nextRank = halves[middle < length ? middle : middle - length] as number;
    if (rank !== first || nextRank !== second) count++;
    [first, second] = [rank, nextRank];
    ranks[start] = count - 1;
  }
  return { ranks, count };
}
