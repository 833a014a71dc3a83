/** The limit was reached: what follows in the stored bytes is not even looked at. */
export function tooLong(maxLength: number): RangeError {
  return new RangeError(
    `decompressed it is longer than ${maxLength} bytes; raise maxDecompressedSize if such values are meant to be there`,
  );
}

export function damaged(format: string, reason: string, cause?: unknown): Error {
  return new Error(`not ${format} data, or damaged: ${reason}`, cause === undefined ? undefined : { cause });
}

/** A stream ends where the stored bytes do, unless those were cut, added to, or are of another kind. */
export function checkEnd(format: string, end: number, length: number): void {
  if (end > length) throw damaged(format, "it ends too early");
  if (end < length) throw damaged(format, `it ends ${length - end} bytes before the stored bytes do`);
}
