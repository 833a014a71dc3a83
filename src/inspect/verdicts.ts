import type { Cache } from "../cache/cache.js";
import { inBatches } from "../core/async.js";
import { ReplyError } from "../core/errors.js";
import { labelHashes } from "../http/keys.js";
import { NO_LABELS, responseLabels } from "../http/rfc/invalidation.js";
import type { Fields } from "../http/rfc/message.js";
import { prefixesOf, toTarget } from "../http/rfc/target.js";
import { rememberedTags, tagLabels } from "../tags/labels.js";
import { judge, type PurgeLog, purgeLogOf, type Verdict } from "../tags/purge-log.js";
import type { Reader } from "../tags/records.js";
import { type Form, stampedOf } from "./form.js";
import { namespaceTags, type ParsedKey } from "./keys.js";
import type { TagReport } from "./port.js";
import { parseResponseKey } from "./response-key.js";

/** What purges mean for an entry. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly tags: readonly TagReport[];
  /** Why the log could not be read. */
  readonly error: ReplyError | undefined;
}

function ignoreReplies(error: unknown): void {
  if (!(error instanceof ReplyError)) throw error;
}

const UNTAGGED: Judgement = { verdict: "good", tags: [], error: undefined };

/** Judges entries by the purge log of one cache, as it was last read, and names their tags. */
export class Verdicts {
  readonly #cache: Pick<Cache, "connection" | "purges">;
  /** What labels are known to be made of. */
  readonly #names: Map<string, string>;

  private constructor(cache: Pick<Cache, "connection" | "purges">, names: Map<string, string>) {
    this.#cache = cache;
    this.#names = names;
  }

  /** @param candidates tags that entries may have, and namespaces that they may be in */
  static async open(
    cache: Pick<Cache, "connection" | "purges">,
    candidates: { readonly tags?: readonly string[] | undefined; readonly namespaces?: readonly string[] | undefined },
  ): Promise<Verdicts> {
    const verdicts = new Verdicts(cache, rememberedTags());
    await verdicts.#learn([...(candidates.tags ?? []), ...namespaceTags(candidates.namespaces ?? [])]);
    return verdicts;
  }

  /** Tags, groups and path prefixes of a response, which its fields and its URL say. */
  async #learnResponse(fields: Fields, { key = "" }: ParsedKey): Promise<void> {
    const { name = "", url = "" } = parseResponseKey(key) ?? {};
    const { tags, groups } = responseLabels(fields) ?? NO_LABELS;
    const target = toTarget(url);
    const prefixes = target ? prefixesOf(target) : [];
    const labels = await labelHashes({ tags, groups, prefixes }, name, url);
    for (const [i, text] of [...tags, ...groups, ...prefixes].entries()) this.#names.set(labels[i] ?? "", text);
  }

  async #learn(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return;
    const distinct = [...new Set(tags)];
    const labels = await tagLabels(distinct);
    for (const [i, tag] of distinct.entries()) this.#names.set(labels[i] ?? "", tag);
  }

  /** Asks at once for what several entries need to know of older purges. @throws {ConnectionError} */
  async prepare(forms: readonly Form[]): Promise<void> {
    const log = this.#log();
    if (!log) return;
    const stamped = forms.map(stampedOf).filter((entry) => entry !== undefined);
    const unknown = stamped.filter((entry) => log.verdict(entry, entry.reader) === "unknown");
    const labels = [...new Set(unknown.flatMap((entry) => entry.labels))];
    // What can't be asked for is reported for each entry.
    await inBatches(labels, (some) => log.ask(this.#cache.connection, some).catch(ignoreReplies));
  }

  #log(): PurgeLog | undefined {
    try {
      return purgeLogOf(this.#cache.purges);
    } catch {
      // The cache's key function has no key for a log, so that nothing has tags.
      return undefined;
    }
  }

  /** What later purges mean for what a key holds. The log was read since. @throws {ConnectionError} */
  async of(form: Form, key: ParsedKey): Promise<Judgement> {
    const entry = stampedOf(form);
    const log = entry && this.#log();
    if (!log) return UNTAGGED;
    const { labels, stamp, reader } = entry;
    await this.#learn(namespaceTags(key.namespaces));
    if (form.is === "response") await this.#learnResponse(form.head.fields, key);
    try {
      const verdict = await judge(this.#cache.connection, log, entry, reader);
      const purged = await this.#purgedBy(log, verdict, { labels, stamp, reader });
      return { verdict, tags: this.#reports(labels, purged), error: undefined };
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      return { verdict: "good", tags: this.#reports(labels, new Map()), error };
    }
  }

  /** Which labels were purged. Of labels that were purged together, each alone was not. */
  async #purgedBy(
    log: PurgeLog,
    verdict: Verdict,
    {
      labels,
      stamp,
      reader,
    }: { labels: readonly string[]; stamp: readonly [string, number] | undefined; reader: Reader },
  ): Promise<ReadonlyMap<string, "soft" | "hard">> {
    const purged = new Map<string, "soft" | "hard">();
    if (verdict === "good") return purged;
    const verdictOf = (some: readonly string[]) => log.verdict({ labels: some, stamp }, reader);
    if (labels.some((label) => verdictOf([label]) === "unknown")) await log.ask(this.#cache.connection, labels);
    for (const label of labels) {
      const one = verdictOf([label]);
      if (one === "soft" || one === "hard") purged.set(label, one);
    }
    if ([...purged.values()].includes(verdict)) return purged;
    for (const label of labels) {
      if (verdictOf(labels.filter((other) => other !== label)) !== verdict) purged.set(label, verdict);
    }
    return purged;
  }

  #reports(labels: readonly string[], purged: ReadonlyMap<string, "soft" | "hard">): TagReport[] {
    return labels.map((label) => ({ label, tag: this.#names.get(label), purged: purged.get(label) ?? "no" }));
  }
}
