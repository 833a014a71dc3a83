/** `text` as a glob that matches only itself, in SCAN's notation. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}
