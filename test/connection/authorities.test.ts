import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { certificateFile, tlsArguments } from "../support/certificates.js";
import { freePort } from "../support/ports.js";
import { runScript } from "../support/script.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

describe("without tls.ca, over both transports", () => {
  let server: ValkeyServer;
  let folder: string;
  let port: number;
  beforeAll(async () => {
    port = await freePort();
    server = await startValkey({ args: tlsArguments(port) });
    folder = await mkdtemp(join(tmpdir(), "authorities-"));
    await symlink(certificateFile("ca.pem"), join(folder, "own-ca.pem"));
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** What a get over each transport ends with, in a process with these variables. */
  const ends = async (variables: Readonly<Record<string, string>>) => {
    const cleared = ["-u", "NODE_EXTRA_CA_CERTS", "-u", "SSL_CERT_FILE", "-u", "SSL_CERT_DIR"];
    const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const { stdout, stderr } = await runScript(
      `for (const connectionFactory of [lib.glide(), lib.iovalkey(), lib.glide({ tls: {} })]) {
        const cache = lib.createCache({ location: "valkeys://localhost:${port}", connectionFactory });
        console.log(await cache.set("a", 1).catch((error) => error.message));
        await cache.close();
      }`,
      25_000,
      ["/usr/bin/env", ...cleared, ...set],
    );
    return stdout
      .trim()
      .split("\n")
      .map((line) => (line === "true" ? line : `${line}${stderr}`));
  };

  it("the authorities of NODE_EXTRA_CA_CERTS are trusted", async () => {
    expect(await ends({ NODE_EXTRA_CA_CERTS: certificateFile("ca.pem") })).toEqual(["true", "true", "true"]);
  });

  it("the authorities of SSL_CERT_FILE are trusted", async () => {
    expect(await ends({ SSL_CERT_FILE: certificateFile("ca.pem") })).toEqual(["true", "true", "true"]);
  });

  it("the authorities of SSL_CERT_DIR are trusted", async () => {
    expect(await ends({ SSL_CERT_DIR: `/no/such/folder:${folder}` })).toEqual(["true", "true", "true"]);
  });

  it("others are not, also if a file has none of them or is missing", async () => {
    for (const variables of [
      {},
      { SSL_CERT_FILE: "/no/such/file" },
      { SSL_CERT_FILE: certificateFile("server.key") },
    ]) {
      const refusals = await ends(variables);
      expect(refusals).toHaveLength(3);
      for (const message of refusals) expect(message).toMatch(/certificate/i);
    }
  });
});
