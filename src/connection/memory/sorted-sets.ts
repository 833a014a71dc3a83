import { type Args, err, refusals } from "./arguments.js";
import { Bulk } from "./bulk.js";
import type { Answer, CommandTable, Store } from "./store.js";
import { type Bound, Scores } from "./values.js";

/** Commands on sorted sets, as far as the purge log needs them. A sorted set without members does not exist. */
export const sortedSets: CommandTable = {
  ZADD: [-4, zadd],
  ZCARD: [2, (store, args) => scoresAt(store, args).size],
  ZSCORE: [3, (store, args) => scoreText(scoresAt(store, args).get(args.nameAt(2)))],
  ZRANGEBYSCORE: [-4, (store, args) => range(store, args, false)],
  ZREVRANGEBYSCORE: [-4, (store, args) => range(store, args, true)],
  ZREMRANGEBYSCORE: [4, remove],
};

/** The members of the key in the first argument; none when the key does not exist. */
function scoresAt(store: Store, args: Args): Scores {
  return store.find(args.nameAt(1), Scores)?.value ?? new Scores();
}

/** Options of ZADD are not supported. @returns the number of new members */
function zadd(store: Store, args: Args): Answer {
  if (args.length % 2 !== 0) throw refusals.syntax();
  const key = args.nameAt(1);
  const members: [string, number][] = [];
  for (let index = 2; index < args.length; index += 2) members.push([args.nameAt(index + 1), scoreAt(args, index)]);
  const entry = store.find(key, Scores);
  const scores = entry?.value ?? new Scores();
  const before = scores.size;
  store.checkRoom(key, scores.byteLength + Scores.cost(members.map(([member]) => member)));
  for (const [member, score] of members) scores.set(member, score);
  store.put(key, scores, entry?.expiresAtMs);
  return scores.size - before;
}

function range(store: Store, args: Args, isReverse: boolean): Answer {
  let [withScores, offset, count] = [false, 0, -1];
  for (let index = 4; index < args.length; index++) {
    const word = args.word(index);
    if (word === "WITHSCORES") withScores = true;
    else if (word === "LIMIT" && index + 2 < args.length) {
      offset = args.integer(++index);
      count = args.integer(++index);
    } else throw refusals.syntax();
  }
  const [low, high] = isReverse ? [bound(args, 3), bound(args, 2)] : [bound(args, 2), bound(args, 3)];
  const scores = scoresAt(store, args);
  const found = offset < 0 ? [] : scores.between(low, high, { isReverse, offset, count });
  return found.flatMap((member) => {
    const name = Bulk.fromName(member);
    return withScores ? [name, scoreText(scores.get(member))] : [name];
  });
}

function remove(store: Store, args: Args): Answer {
  const key = args.nameAt(1);
  const [low, high] = [bound(args, 2), bound(args, 3)];
  const entry = store.find(key, Scores);
  if (entry === undefined) return 0;
  const removed = entry.value.between(low, high);
  for (const member of removed) entry.value.delete(member);
  if (entry.value.size === 0) store.delete(key);
  else store.put(key, entry.value, entry.expiresAtMs);
  return removed.length;
}

function bound(args: Args, index: number): Bound {
  const text = args.text(index);
  const isExclusive = text.startsWith("(");
  const score = toScore(isExclusive ? text.slice(1) : text);
  if (score === undefined) throw err("min or max is not a float");
  return { score, isExclusive };
}

function scoreAt(args: Args, index: number): number {
  const score = toScore(args.text(index));
  if (score === undefined) throw err("value is not a valid float");
  return score;
}

const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function toScore(text: string): number | undefined {
  const [isInfinite, sign] = INFINITE.exec(text) ?? [];
  if (isInfinite) return sign === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return DECIMAL.test(text) ? Number(text) : undefined;
}

/** A score as a server writes it, while it is an integer. */
function scoreText(score: number | undefined): Bulk | null {
  if (score === undefined) return null;
  return Bulk.from(Number.isFinite(score) ? String(score) : score > 0 ? "inf" : "-inf");
}
