/** So many random characters of 64. */
export function randomText(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(Math.ceil((length * 3) / 4)));
  return btoa(String.fromCharCode(...bytes)).slice(0, length);
}
