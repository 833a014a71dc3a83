/** The one extension that MessagePack itself defines. Source: the MessagePack specification, "Extension types". */
const TIMESTAMP = 0xff;

/**
 * Walks over the bytes without making anything of them, so that a reader meets neither extensions of its package, which
 * make errors, regular expressions or shared references, nor lengths that the bytes don't fill.
 * @throws Error unless they are exactly one value
 */
export function checkPlain(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let pending = 1;
  while (pending > 0) {
    if (at >= bytes.length) throw new Error("MessagePack data ends too early");
    const token = bytes[at] as number;
    const header = HEADER[token] as number;
    if (at + header > bytes.length) throw new Error("MessagePack data ends too early");
    pending += inside(token, view, at) - 1;
    at += header + payload(token, view, at);
  }
  if (at > bytes.length) throw new Error("MessagePack data ends too early");
  if (at < bytes.length) throw new Error(`MessagePack data ends ${bytes.length - at} bytes before the stored bytes do`);
}

/** Token, length and extension type, or a whole number. */
const HEADER = Uint8Array.from({ length: 256 }, (_, token) => headerLength(token));

function headerLength(token: number): number {
  if (token < 0xc0 || token >= 0xe0 || token <= 0xc3) return 1;
  const lengths = [2, 3, 5, 3, 4, 6, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 2, 2, 2, 2, 2, 2, 3, 5, 3, 5, 3, 5];
  return lengths[token - 0xc4] as number;
}

/** How many values follow that belong to this one. */
function inside(token: number, view: DataView, at: number): number {
  if (token < 0x80 || token >= 0xe0) return 0;
  if (token < 0x90) return 2 * (token & 0x0f);
  if (token < 0xa0) return token & 0x0f;
  if (token === 0xdc) return view.getUint16(at + 1);
  if (token === 0xdd) return view.getUint32(at + 1);
  if (token === 0xde) return 2 * view.getUint16(at + 1);
  if (token === 0xdf) return 2 * view.getUint32(at + 1);
  return 0;
}

/** How many bytes of text, binary data or extension follow. */
function payload(token: number, view: DataView, at: number): number {
  if (token >= 0xa0 && token < 0xc0) return token & 0x1f;
  if (token < 0xc1 || token > 0xdb) return 0;
  if (token === 0xc4 || token === 0xd9) return view.getUint8(at + 1);
  if (token === 0xc5 || token === 0xda) return view.getUint16(at + 1);
  if (token === 0xc6 || token === 0xdb) return view.getUint32(at + 1);
  if (token === 0xc7) return timestamp(view.getUint8(at + 2), view.getUint8(at + 1));
  if (token === 0xd6) return timestamp(view.getUint8(at + 1), 4);
  if (token === 0xd7) return timestamp(view.getUint8(at + 1), 8);
  if (token >= 0xca && token <= 0xd3) return 0;
  if (token === 0xc2 || token === 0xc3) return 0;
  throw new Error(
    `MessagePack data has ${token === 0xc1 ? "a byte that is never used" : "an extension"}; only plain values are read`,
  );
}

function timestamp(type: number, length: number): number {
  if (type !== TIMESTAMP || (length !== 4 && length !== 8 && length !== 12)) {
    throw new Error(`MessagePack data has an extension of type ${type}; of extensions only timestamps are read`);
  }
  return length;
}
