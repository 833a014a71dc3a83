import { chain, type MaybePromise } from "../core/async.js";
import { joinParts, toBytes } from "../core/text.js";

/** 72 bits: labels that collide by accident are purged together. */
const LENGTH = 12;
/** How many hashes are remembered, so that writing an entry does not make them again. */
const MAX_REMEMBERED = 1_000;

const remembered = new Map<string, string>();

/** What `tagText` makes of a tag. */
const TAG = /^3:tag\d+:(.*)$/s;

/** The first characters of a SHA-256 in base64url; each stands for six bits. */
export async function digest(text: string, length: number): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", toBytes(text));
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .slice(0, length);
}

/** What the label of a tag is made of: the same for entries of the data API and for responses of the HTTP cache. */
export function tagText(tag: string): string {
  return joinParts(["tag", tag]);
}

/** The labels of tags. */
export function tagLabels(tags: readonly string[]): MaybePromise<string[]> {
  return labelsOf(tags.map(tagText));
}

/**
 * Labels: what an entry carries, and a purge names.
 * @param texts made by `joinParts`, the first part being the kind: such as `["tag", "news"]`
 */
export function labelsOf(texts: readonly string[]): MaybePromise<string[]> {
  const known = texts.map((text) => remembered.get(text));
  if (known.every((label) => label !== undefined)) return known;
  return Promise.all(texts.map((text, i) => known[i] ?? chain(digest(text, LENGTH), (label) => remember(text, label))));
}

/** The tags whose labels this process remembers, by label. Made for each call, so that writes pay nothing for it. */
export function rememberedTags(): Map<string, string> {
  const tags = new Map<string, string>();
  for (const [text, label] of remembered) {
    const [, tag] = TAG.exec(text) ?? [];
    if (tag !== undefined) tags.set(label, tag);
  }
  return tags;
}

function remember(text: string, label: string): string {
  if (remembered.size >= MAX_REMEMBERED) for (const oldest of remembered.keys()) if (remembered.delete(oldest)) break;
  remembered.set(text, label);
  return label;
}
