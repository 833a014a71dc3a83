import type { Cache } from "../cache/cache.js";
import type { ValueCodec } from "../cache/value-codec.js";
import { toText } from "../core/text.js";
import { firstPage, logContents } from "./collections.js";
import { type Decoded, decodeValue, type Guess, reason } from "./decode.js";
import type { Form } from "./form.js";
import type { ParsedKey } from "./keys.js";
import type { ValueReport } from "./port.js";
import { isJson, print, printBytes, utf8 } from "./print.js";
import type { RawEntry } from "./read.js";
import { parseResponseKey } from "./response-key.js";

/** A decoded value, and what the client of the cache would make of it. */
export interface FoundValue {
  readonly report: ValueReport | undefined;
  /** Why the client of the cache can't decode it; `undefined` where it can, or that is not known. */
  readonly unreadable: { readonly reason: string; readonly cause: unknown } | undefined;
  /** Members or fields of a collection. */
  readonly size: number | undefined;
}

/** What a value is read of. */
export interface ReadOptions {
  readonly raw: RawEntry;
  readonly form: Form;
  readonly key: ParsedKey;
  readonly maxBytes: number;
}

const NOTHING: FoundValue = { report: undefined, unreadable: undefined, size: undefined };

/** Decodes what a key holds. @throws {ConnectionError} */
export async function readValue(cache: Cache, { raw, form, key, maxBytes }: ReadOptions): Promise<FoundValue> {
  const decode = decoder(cache, raw.storedKey);
  switch (form.is) {
    case "plain":
      return decodedValue(form.payload, undefined);
    case "value":
      if (form.by === "next" && raw.isWhole) {
        const report = reportOf(
          { ...(await nextValue(form.payload, cache.codec)), isOwn: true },
          form.payload,
          maxBytes,
        );
        return { ...NOTHING, report };
      }
      return decodedValue(form.payload, form.envelope.mark);
    case "broken": {
      const unreadable = { reason: form.error.message, cause: form.error };
      return { ...NOTHING, report: bytesReport(raw.bytes, maxBytes, form.error.message), unreadable };
    }
    case "unread": {
      const why = form.refusal?.message ?? "more bytes are before its value than were read; raise maxBytes";
      return { ...NOTHING, report: bytesReport(raw.bytes, maxBytes, why) };
    }
    case "lock": {
      const decoded = raw.bytes && (await decode(raw.bytes, undefined));
      return { ...NOTHING, report: bytesReport(raw.bytes, maxBytes, undefined, "lock"), unreadable: decoded?.ownError };
    }
    case "response":
      return { ...NOTHING, report: await responseReport(cache, { raw, form, key, maxBytes }) };
    case "variants":
      return { ...NOTHING, report: valueReport("index of variants", true, { ...form.index }, maxBytes) };
    case "set":
    case "hash":
      return readCollection(cache, form.is, { raw, form, key, maxBytes });
    case "log": {
      const { size, value } = await logContents(cache, raw.storedKey);
      return { ...NOTHING, size, report: valueReport("purge log", true, value, maxBytes) };
    }
    default:
      return NOTHING;
  }

  async function decodedValue(payload: Uint8Array, mark: string | undefined): Promise<FoundValue> {
    if (!raw.isWhole) return { ...NOTHING, report: partReport(payload, raw, maxBytes) };
    const decoded = await decode(payload, mark);
    return { ...NOTHING, report: reportOf(decoded, payload, maxBytes), unreadable: decoded.ownError };
  }
}

type Decode = (payload: Uint8Array, mark: string | undefined) => Promise<Decoded>;

function decoder({ parts }: Cache, key: string): Decode {
  const { codec, codecOptions } = parts.settings;
  const { maxDecompressedSize } = codecOptions;
  return (payload, mark) => decodeValue(payload, { codec, key, mark, maxDecompressedSize });
}

async function readCollection(cache: Cache, type: "set" | "hash", { raw, maxBytes }: ReadOptions): Promise<FoundValue> {
  const { size, items, isWhole, refusal } = await firstPage(cache, type, raw.storedKey);
  if (refusal) return { ...NOTHING, size, report: bytesReport(undefined, maxBytes, refusal.message) };
  const decode = decoder(cache, raw.storedKey);
  const codecs = new Set<string>();
  let isOwnCodec = true;
  const itemOf = async (bytes: Uint8Array): Promise<unknown> => {
    const decoded = await decode(bytes, undefined);
    codecs.add(decoded.codec);
    isOwnCodec &&= decoded.isOwn;
    return "error" in decoded ? printBytes(bytes, maxBytes).text : decoded.value;
  };
  let value: unknown;
  if (type === "set") value = await Promise.all(items.map(itemOf));
  else {
    const fields: [string, unknown][] = [];
    for (let i = 0; i < items.length; i += 2) {
      fields.push([
        printBytes(items[i] ?? new Uint8Array(), maxBytes).text,
        await itemOf(items[i + 1] ?? new Uint8Array()),
      ]);
    }
    value = Object.fromEntries(fields);
  }
  const report = valueReport([...codecs].join(", "), isOwnCodec, value, maxBytes);
  return { ...NOTHING, size, report: { ...report, isCut: report.isCut || !isWhole } };
}

async function responseReport(
  cache: Cache,
  { raw, form, key, maxBytes }: ReadOptions,
): Promise<ValueReport | undefined> {
  if (form.is !== "response") return undefined;
  const { head, body } = form;
  const { url = "" } = parseResponseKey(key.key ?? "") ?? {};
  const response = { url, status: head.status, fields: head.fields, bodySize: body.length };
  const base = {
    codec: head.packed ? `HTTP response with ${cache.parts.settings.codecOptions.compressor.name}` : "HTTP response",
    isOwnCodec: true,
  };
  if (!raw.isWhole) return { ...partReport(body, raw, maxBytes), ...base, response };
  let bytes = body;
  try {
    if (head.packed) bytes = await cache.codec.decompressBytes(body);
  } catch (error) {
    return { ...bytesReport(body, maxBytes, String(error)), ...base, response };
  }
  const json = parsedJson(bytes);
  const shown = json === undefined ? printBytes(bytes, maxBytes) : print(json, maxBytes);
  return { ...base, ...shown, json, error: undefined, response: { ...response, bodySize: bytes.length } };
}

function parsedJson(bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(utf8(bytes) ?? "");
    return isJson(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function reportOf(decoded: Guess & Pick<Decoded, "isOwn">, payload: Uint8Array, maxBytes: number): ValueReport {
  if ("error" in decoded) {
    return { ...bytesReport(payload, maxBytes, decoded.error, decoded.codec), isOwnCodec: decoded.isOwn };
  }
  return valueReport(decoded.codec, decoded.isOwn, decoded.value, maxBytes);
}

function valueReport(codec: string, isOwnCodec: boolean, value: unknown, maxBytes: number): ValueReport {
  const json = isJson(value) ? value : undefined;
  return { codec, isOwnCodec, ...print(value, maxBytes), json, error: undefined, response: undefined };
}

function bytesReport(
  bytes: Uint8Array | undefined,
  maxBytes: number,
  error: string | undefined,
  codec = "unknown",
): ValueReport {
  const shown = printBytes(bytes ?? new Uint8Array(), maxBytes);
  return { codec, isOwnCodec: codec === "lock", ...shown, json: undefined, error, response: undefined };
}

/** Of a value of which only the beginning was read. */
function partReport(payload: Uint8Array, { length = 0 }: RawEntry, maxBytes: number): ValueReport {
  const error = `only ${payload.length} of its bytes were read, as the stored value has ${length}; raise maxBytes`;
  return { ...bytesReport(payload, maxBytes, error), isCut: true };
}

/*
 * Entries of Next: next/frame.ts and next/stored.ts have their form, in a layer below this one. Only the head is shown, with
 * name, type and length of each part after it.
 */
const HEAD_AT = 6;

/** The head of an entry of Next. Never throws. */
async function nextValue(payload: Uint8Array, codec: ValueCodec): Promise<Guess> {
  const isPacked = payload[0] === 0x4e && payload[1] === 0x7a;
  try {
    const frame = isPacked ? await codec.decompressBytes(payload.subarray(2)) : payload;
    const length = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(2);
    const head: unknown = JSON.parse(toText(frame.subarray(HEAD_AT, HEAD_AT + length)));
    const [fields, parts] = Array.isArray(head) ? head : [];
    return { codec: "next", value: { fields, parts } };
  } catch (error) {
    return { codec: "next", error: reason(error) };
  }
}
