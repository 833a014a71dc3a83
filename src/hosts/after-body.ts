/**
 * The response, and what settles when nobody reads its body any more. A body may still ask the cache while it streams, so
 * the request's connection must outlive it.
 */
export function afterBody(response: Response): { response: Response; sent: Promise<void> } {
  if (!response.body) return { response, sent: Promise.resolve() };
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  // Either side may end it early: the reader is told by the stream itself.
  const sent = response.body.pipeTo(writable).catch(() => {});
  return { response: new Response(readable, response), sent };
}
