/**
 * The inspector's page, one HTML file. `scripts/inspector-page.mjs` makes it of `src/inspector/page/`, and the build and the
 * tests have it in the place of this text. The server replaces each `__NONCE__` by the nonce of its Content-Security-Policy.
 */
export const pageHtml: string =
  '<!doctype html><html lang="en"><title>Inspector</title><p>The page is missing: run npm run build.</p></html>';
