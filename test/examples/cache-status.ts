/** Where an answer came from: another one's, made for the same question just now, is as good as a stored one. */
export function fromOf(cacheStatus: string | null | undefined): "hit" | "miss" | null {
  if (!cacheStatus) return null;
  return /; *(?:hit|collapsed)(?:;|$)/.test(cacheStatus) ? "hit" : "miss";
}
