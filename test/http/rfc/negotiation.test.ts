import { describe, expect, it } from "vitest";
import { fieldValue } from "../../../src/http/rfc/message.js";
import { narrow } from "../../../src/http/rfc/vary.js";
import { fields } from "./exchanges.js";

const encoding = (accepted: string, encodings = ["br", "gzip"]): string | undefined =>
  fieldValue(narrow(fields({ "accept-encoding": accepted }), { encodings, languages: [] }), "accept-encoding");
const language = (accepted: string, languages = ["en", "de", "pt-BR"]): string | undefined =>
  fieldValue(narrow(fields({ "accept-language": accepted }), { encodings: [], languages }), "accept-language");

describe("narrowing Accept-Encoding (RFC 9110 §12.5.3)", () => {
  it("takes the coding that the client likes most, then the one configured first", () => {
    expect(encoding("gzip, deflate, br, zstd")).toBe("br");
    expect(encoding("gzip;q=1, br;q=0.5")).toBe("gzip");
    expect(encoding("GZIP")).toBe("gzip");
    expect(encoding("x-gzip")).toBe("gzip");
  });

  it("knows the star, and refusals", () => {
    expect(encoding("*")).toBe("br");
    expect(encoding("br;q=0, *")).toBe("gzip");
    expect(encoding("*;q=0")).toBe("identity");
  });

  it("asks for the plain response when the client takes nothing that is configured", () => {
    expect(encoding("deflate")).toBe("identity");
    expect(encoding("")).toBe("identity");
  });
});

describe("narrowing Accept-Language (RFC 9110 §12.5.4)", () => {
  it("takes the language that the client likes most, then the one configured first", () => {
    expect(language("de;q=0.9, en;q=0.8")).toBe("de");
    expect(language("fr, de, en")).toBe("en");
  });

  it("matches ranges with what is more, or less, special (RFC 4647)", () => {
    expect(language("de-AT, en;q=0.5")).toBe("de");
    expect(language("pt, en;q=0.5")).toBe("pt-BR");
    expect(language("PT-br")).toBe("pt-BR");
    expect(language("den")).toBeUndefined();
  });

  it("knows the star, and refusals", () => {
    expect(language("fr, *;q=0.5")).toBe("en");
    expect(language("en;q=0, *")).toBe("de");
  });

  it("takes the field away when the client likes nothing that is configured", () => {
    expect(language("fr, it")).toBeUndefined();
  });
});

describe("narrowing", () => {
  it("leaves absent fields absent, and those without configuration as they are", () => {
    const request = fields({ "accept-encoding": "zstd", "accept-language": "fr" });
    expect(narrow(request, { encodings: [], languages: [] })).toEqual(request);
    expect(narrow(fields({ a: "1" }), { encodings: ["br"], languages: ["en"] })).toEqual(fields({ a: "1" }));
  });
});
