/** The older container: properties, size of the dictionary, size of the content. Source: liblzma's lzma-file-format.txt */
export const ALONE_HEADER = 13;

/**
 * The format has no signature. As in liblzma, what only its own encoders write is taken for one: properties in range, a
 * dictionary of 2^n or 2^n + 2^(n-1) bytes, a size that is unknown or below 256 GiB, and a first byte of data that is 0.
 */
export function isLzmaAlone(bytes: Uint8Array): boolean {
  if (bytes.length < ALONE_HEADER + 5 || bytes[ALONE_HEADER] !== 0) return false;
  const properties = bytes[0] as number;
  const [literalContext, literalPosition] = [properties % 9, Math.floor(properties / 9) % 5];
  if (properties >= 9 * 5 * 5 || literalContext + literalPosition > 4) return false;
  const dictionary = view(bytes).getUint32(1, true);
  const top = 2 ** Math.floor(Math.log2(dictionary));
  if (dictionary !== top && dictionary !== 1.5 * top) return false;
  const length = aloneLength(bytes);
  return length === undefined || length < 2 ** 38;
}

/** How long the header says that the content is; `undefined` when it ends with a marker instead. */
export function aloneLength(bytes: Uint8Array): number | undefined {
  const length = view(bytes).getBigUint64(5, true);
  return length === 2n ** 64n - 1n ? undefined : Number(length);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
