/** The inspector's page. `__NONCE__` stands for the nonce of its script and its style. */
export const pageHtml =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cache inspector</title></head><body></body></html>';
