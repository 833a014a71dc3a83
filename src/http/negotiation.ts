import { type Fields, fieldValue, withField, withoutFields } from "./fields.js";
import { chooseEncoding, chooseLanguage } from "./normalize.js";

/** What the origin can answer in; an empty list leaves the client's field as it is. */
export interface Negotiation {
  /** Content codings that the origin makes, the preferred one first. */
  readonly encodings: readonly string[];
  /** Languages that the origin has, the preferred one first. */
  readonly languages: readonly string[];
}

/**
 * A request whose Accept-Encoding and Accept-Language name one configured value each, so that few variants stand for
 * all clients. Both the store and the origin must see the result: an answer to more than it says would be stored for others.
 */
export function narrow(request: Fields, { encodings, languages }: Negotiation): Fields {
  return narrowLanguage(narrowEncoding(request, encodings), languages);
}

function narrowEncoding(request: Fields, encodings: readonly string[]): Fields {
  const accepted = fieldValue(request, "accept-encoding");
  if (accepted === undefined || encodings.length === 0) return request;
  return withField(request, "accept-encoding", chooseEncoding(accepted, encodings));
}

function narrowLanguage(request: Fields, languages: readonly string[]): Fields {
  const accepted = fieldValue(request, "accept-language");
  if (accepted === undefined || languages.length === 0) return request;
  const language = chooseLanguage(accepted, languages);
  if (language !== undefined) return withField(request, "accept-language", language);
  return withoutFields(request, new Set(["accept-language"]));
}
