import { cacheLife, cacheTag } from "next/cache";
import { ask } from "./origin.js";

/** In Next's default handler, or the one that is configured. */
export async function local(id) {
  "use cache";
  cacheTag(`local-${id}`);
  cacheLife("hours");
  return ask(`local-${id}`);
}

export async function remote(id) {
  "use cache: remote";
  cacheTag(`remote-${id}`);
  cacheLife("hours");
  return ask(`remote-${id}`);
}

/** Fresh for a second, gone after three. */
export async function brief(id) {
  "use cache";
  cacheLife("brief");
  return ask(`brief-${id}`);
}

/** Fresh for a second, stale for an hour. */
export async function refreshed(id) {
  "use cache";
  cacheLife("refreshed");
  return ask(`refreshed-${id}`);
}

/** A function within a function: the outer one has the tags of the inner one. */
export async function nested(id) {
  "use cache";
  cacheLife("hours");
  return { outer: await ask(`nested-${id}`), inner: await local(`nested-${id}`) };
}

/** A stream: its head is there before its tail. */
export async function streamed(id) {
  "use cache";
  cacheTag(`streamed-${id}`);
  cacheLife("hours");
  return { head: await ask(`head-${id}`), tail: ask(`tail-${id}`) };
}
