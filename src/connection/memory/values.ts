import { type Bulk, nameLength } from "./bulk.js";

/** The memory of a member beside its text, in bytes. Measured on Node 24. */
const MEMBER_OVERHEAD = 44;

/** A stored set. It tracks its size in bytes. */
export class Members {
  readonly #names = new Set<string>();
  #byteLength = 0;

  static cost(names: Iterable<string>): number {
    let cost = 0;
    for (const name of names) cost += MEMBER_OVERHEAD + nameLength(name);
    return cost;
  }

  static of(names: Iterable<string>): Members {
    const members = new Members();
    for (const name of names) members.add(name);
    return members;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  add(name: string): void {
    if (!this.#names.has(name)) this.#byteLength += Members.cost([name]);
    this.#names.add(name);
  }

  delete(name: string): boolean {
    const deleted = this.#names.delete(name);
    if (deleted) this.#byteLength -= Members.cost([name]);
    return deleted;
  }

  copy(): Members {
    return Members.of(this.#names);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names.values();
  }
}

/** The memory of a field beside its name and value, in bytes. Measured on Node 24. */
const FIELD_OVERHEAD = 120;

/** A stored hash. It tracks its size in bytes. */
export class Fields {
  readonly #values = new Map<string, Bulk>();
  #byteLength = 0;

  /** The growth in bytes that setting `entries` would cause. */
  growth(entries: Iterable<readonly [string, Bulk]>): number {
    let growth = 0;
    for (const [field, value] of entries) growth += fieldCost(field, value) - this.#costOf(field);
    return growth;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get size(): number {
    return this.#values.size;
  }

  has(field: string): boolean {
    return this.#values.has(field);
  }

  get(field: string): Bulk | undefined {
    return this.#values.get(field);
  }

  set(field: string, value: Bulk): void {
    this.#byteLength += fieldCost(field, value) - this.#costOf(field);
    this.#values.set(field, value);
  }

  delete(field: string): boolean {
    this.#byteLength -= this.#costOf(field);
    return this.#values.delete(field);
  }

  copy(): Fields {
    const copy = new Fields();
    for (const [field, value] of this.#values) copy.set(field, value);
    return copy;
  }

  [Symbol.iterator](): Iterator<[string, Bulk]> {
    return this.#values.entries();
  }

  #costOf(field: string): number {
    const value = this.#values.get(field);
    return value === undefined ? 0 : fieldCost(field, value);
  }
}

function fieldCost(field: string, value: Bulk): number {
  return FIELD_OVERHEAD + nameLength(field) + value.byteLength;
}

/** The memory of a member of a sorted set beside its text, in bytes. Measured on Node 24. */
const SCORE_OVERHEAD = 64;

/** The end of a range of scores. */
export interface Bound {
  readonly score: number;
  readonly isExclusive: boolean;
}

/** A stored sorted set. It tracks its size in bytes. */
export class Scores {
  readonly #scores = new Map<string, number>();
  /** By score; members of one score by their text. */
  readonly #order: string[] = [];
  #byteLength = 0;

  static cost(names: Iterable<string>): number {
    let cost = 0;
    for (const name of names) cost += SCORE_OVERHEAD + nameLength(name);
    return cost;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get size(): number {
    return this.#scores.size;
  }

  get(member: string): number | undefined {
    return this.#scores.get(member);
  }

  set(member: string, score: number): void {
    if (this.#scores.get(member) === score) return;
    this.delete(member);
    this.#order.splice(
      this.#countWhere((other, at) => at < score || (at === score && other < member)),
      0,
      member,
    );
    this.#scores.set(member, score);
    this.#byteLength += Scores.cost([member]);
  }

  delete(member: string): boolean {
    const score = this.#scores.get(member);
    if (score === undefined) return false;
    this.#order.splice(
      this.#countWhere((other, at) => at < score || (at === score && other < member)),
      1,
    );
    this.#byteLength -= Scores.cost([member]);
    return this.#scores.delete(member);
  }

  /** Members with a score between two, the lowest first. @param page which of them; all, if absent */
  between(
    low: Bound,
    high: Bound,
    page: { readonly isReverse: boolean; readonly offset: number; readonly count: number } = ALL,
  ): string[] {
    const start = this.#countWhere((_member, at) => at < low.score || (low.isExclusive && at === low.score));
    const end = this.#countWhere((_member, at) => at < high.score || (!high.isExclusive && at === high.score));
    const length = Math.min(
      Math.max(0, end - start - page.offset),
      page.count < 0 ? Number.POSITIVE_INFINITY : page.count,
    );
    if (!page.isReverse) return this.#order.slice(start + page.offset, start + page.offset + length);
    const last = end - page.offset;
    return this.#order.slice(last - length, last).reverse();
  }

  copy(): Scores {
    const copy = new Scores();
    for (const member of this.#order) copy.set(member, this.#scores.get(member) ?? 0);
    return copy;
  }

  /** How many members come first for which this holds. */
  #countWhere(isBefore: (member: string, score: number) => boolean): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const member = this.#order[middle] ?? "";
      if (isBefore(member, this.#scores.get(member) ?? 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const ALL = { isReverse: false, offset: 0, count: -1 };
