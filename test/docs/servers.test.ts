import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ConnectionOptions, createCache, glide, glideCluster, iovalkey } from "../../src/index.js";
import { certificate, tlsArguments } from "../support/certificates.js";
import { cli, run } from "../support/cli.js";
import { startCluster, type ValkeyCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { docsBlocks, documented, writeBlock } from "../support/docs.js";
import { freePort } from "../support/ports.js";
import { build, root } from "../support/project.js";
import { type Sentinels, startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

const PEM = { "ca.pem": certificate("ca.pem"), "server-ca.pem": certificate("ca.pem") };
const CLIENT = { "client.pem": certificate("client.pem"), "client.key": certificate("client.key") };

/** The packages of clouds, as far as the guides use them. Their tokens are what the servers of this test ask for. */
const PACKAGES: Readonly<Record<string, string>> = {
  "google-auth-library": `export class GoogleAuth {
  async getClient() {
    const credentials = { expiry_date: Date.now() + 3_600_000 };
    return { credentials, getAccessToken: async () => ({ token: "google-token" }) };
  }
}`,
  "@azure/identity": `export class DefaultAzureCredential {
  async getToken(scope) {
    return { token: "token-for-" + scope, expiresOnTimestamp: Date.now() + 3_600_000 };
  }
}`,
  "@aws-crypto/sha256-js": "export class Sha256 {}",
  "@aws-sdk/credential-provider-node": "export const defaultProvider = () => async () => ({});",
  "@smithy/signature-v4": `export class SignatureV4 {
  #options;
  constructor(options) {
    this.#options = options;
  }
  async presign({ query, ...request }, { expiresIn }) {
    const { region, service } = this.#options;
    return { ...request, query: { ...query, "X-Amz-Credential": region + "/" + service, "X-Amz-Expires": String(expiresIn) } };
  }
}`,
};

/** valkey-glide signs with these, without a request to AWS. */
const AWS = {
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI",
  AWS_EC2_METADATA_DISABLED: "true",
};

interface Trial {
  readonly page: string;
  /** A text of the block, beside which no other block has it. */
  readonly has: string;
  readonly texts: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** What the block's function is called with, and what it returns. @default product("7") */
  readonly call?: string;
}

/** Writes a block as the module `cache.ts` of an application with the packages of clouds, and returns its folder. */
function application({ page, has, texts }: Trial): { folder: string; code: string } {
  const block = documented(page, has);
  const folder = dirname(writeBlock(block, {}, { ...PEM, ...CLIENT }));
  let code = block.code;
  for (const [own, other] of Object.entries(texts)) {
    expect(code, `docs/${page} has it`).toContain(own);
    code = code.replaceAll(own, other);
  }
  writeFileSync(join(folder, "cache.ts"), code);
  for (const [name, source] of Object.entries(PACKAGES)) {
    const place = join(folder, "node_modules", name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), JSON.stringify({ name, type: "module", exports: "./index.js" }));
    writeFileSync(join(place, "index.js"), source);
  }
  return { folder, code };
}

/** What the doctor prints of a block, and what a process gets that calls its function. */
async function attempt(trial: Trial) {
  const { page, texts, env = {}, call = 'product("7")' } = trial;
  const { folder, code } = application(trial);
  const script = `const { cache, product, products } = await import("./cache.ts");
const value = await (${code.includes("function product") ? call : 'cache.getOrSet("b", () => ({ id: "b" }))'});
const { state, topology } = await cache.health();
console.log(JSON.stringify({ value: value instanceof Map ? [...value] : value, state, topology }));
await cache.close();`;
  const doctor = await cli(["doctor", "--config", "./cache.ts"], { folder, env });
  const program = [process.execPath, "--input-type=module", "--eval", script];
  const { stdout, stderr } = await run(program, { folder, env });
  const comparable = (text: string) => {
    const given = Object.entries(texts).reduce((all, [own, other]) => all.replaceAll(other, own), text);
    return given.replaceAll(/\d+(?:\.\d+)? m?s\b/g, "TIME").trim();
  };
  return {
    doctor: comparable(doctor.stdout),
    shown: docsBlocks(page)
      .filter(({ language }) => language === "console")
      .map(({ code: lines }) => comparable(lines.split("\n").slice(1).join("\n")))[0],
    stderr: stderr + doctor.stderr,
    result: stdout === "" ? undefined : (JSON.parse(stdout) as unknown),
  };
}

const product = { value: { id: "7", name: "Chair" }, state: "closed" };

/** The rules that docs/servers.md has for a cache with herd(), without the user's name and password. */
const RULES =
  /ACL SETUSER app on >password (.*)/.exec(readFileSync(join(root, "docs", "servers.md"), "utf8"))?.[1]?.split(" ") ??
  [];
const OF_CLUSTER = ["+cluster|slots", "+ping", "+client|setname", "+cluster|info", "+cluster|keyslot", "+script|load"];

describe("the guides of servers", () => {
  let server: ValkeyServer;
  let tlsPort: number;
  let cluster: ValkeyCluster;
  /** Each node's port for TLS. */
  const nodePorts: number[] = [];
  let sentinels: Sentinels;
  /** A cluster of one node, which announces an address where nothing is. */
  let hidden: ValkeyCluster;
  let hiddenPort: number;

  beforeAll(async () => {
    expect(RULES).toContain("~app:*");
    await build();
    [tlsPort, hiddenPort] = [await freePort(), await freePort()];
    const ofNode = async () => {
      const port = await freePort();
      nodePorts.push(port);
      return tlsArguments(port);
    };
    const announced = ["--cluster-announce-ip", "10.255.0.1", ...tlsArguments(hiddenPort)];
    [server, cluster, hidden, sentinels] = await Promise.all([
      startValkey({ args: ["--bind", "127.0.0.1 -127.0.0.2", ...tlsArguments(tlsPort)] }),
      startCluster({ args: ofNode }),
      startCluster({ primaries: 1, args: announced }),
      startSentinels(),
    ]);
    const users = [
      ["app", "nopass"],
      ["object-7", ">token-for-https://redis.azure.com/.default"],
    ];
    for (const { port } of [server, ...cluster.nodes, ...hidden.nodes]) {
      for (const [user = "", login = ""] of users) {
        await command(port, ["ACL", "SETUSER", user, "on", login, ...RULES, ...OF_CLUSTER]);
      }
    }
    await command(server.port, ["ACL", "SETUSER", "shop", "on", ">secret", ...RULES]);
  }, 120_000);
  afterAll(() => Promise.all([server, cluster, hidden, sentinels].map((one) => one?.stop())));

  /** The text of a location in place of the printed one. */
  const here = (host: string, port: number) => ({ [host]: `localhost:${port}` });

  it("tls.md: an authority, and a user with the documented rules", async () => {
    const { doctor, shown, result } = await attempt({
      page: "guides/tls.md",
      has: "function product",
      texts: { ...here("cache.example:6379", tlsPort), 'username: "app"': 'username: "shop"' },
      env: { VALKEY_PASSWORD: "secret" },
    });
    expect(doctor).toContain(shown);
    expect(result).toMatchObject(product);
  });

  it("tls.md: a client's certificate, and a name to check in place of the location's", async () => {
    const port = await freePort();
    await using _strict = await startValkey({ args: tlsArguments(port, "yes") });
    const shown = await attempt({ page: "guides/tls.md", has: "cert:", texts: here("cache.example:6379", port) });
    expect(shown.result, shown.stderr).toMatchObject({ state: "closed" });
    expect(shown.doctor).toContain("over iovalkey, with TLS");
    const named = await attempt({
      page: "guides/tls.md",
      has: "servername",
      texts: {
        "127.0.0.1:6379": `:secret@127.0.0.2:${tlsPort}`,
        "cache.example": "localhost",
        "valkeys://": "valkeys://shop",
      },
    });
    expect(named.result, named.stderr).toMatchObject({ state: "closed" });
  });

  it("tls.md: the texts of errors are those of the library", async () => {
    const page = readFileSync(join(root, "docs", "guides", "tls.md"), "utf8");
    const strict = await freePort();
    await using _strict = await startValkey({ args: tlsArguments(strict, "yes") });
    const [ca, cert] = [certificate("ca.pem"), certificate("client.pem")];
    const tls = { ca };
    const addressMap = ({ port }: { port: number }) => ({ host: "127.0.0.2", port });
    const secure = `valkeys://localhost:${tlsPort}`;
    const message = async (location: string, factory: typeof glide | typeof iovalkey, options: ConnectionOptions) => {
      try {
        await using cache = createCache({ location, connectionFactory: factory(options) });
        return String(await cache.get("a"));
      } catch (error) {
        return String(error);
      }
    };
    const cases: [string, typeof glide | typeof iovalkey, ConnectionOptions, string, string?][] = [
      [secure, glide, {}, "the server's certificate is not trusted (SELF_SIGNED_CERT_IN_CHAIN)"],
      [secure, iovalkey, {}, "self-signed certificate in certificate chain"],
      [secure, glide, { tls, addressMap }, "the server's certificate is not trusted (ERR_TLS_CERT_ALTNAME_INVALID)"],
      [secure, iovalkey, { tls, addressMap }, "Hostname/IP does not match certificate's altnames"],
      [`valkeys://localhost:${strict}`, glide, { tls }, "the TLS handshake failed (", "alert certificate required"],
      [`valkeys://localhost:${strict}`, iovalkey, { tls }, "Connection is closed.", "was lost"],
      [`valkey://localhost:${tlsPort}`, glide, {}, "read ECONNRESET"],
      [`valkey://localhost:${tlsPort}`, iovalkey, {}, "Connection is closed."],
      [server.url, glide, { tls }, 'option "tls" is given for ', ", which is plain text"],
      [secure, iovalkey, { tls: { ca, cert } }, 'option "tls" has only one of cert and key'],
    ];
    for (const [location, factory, options, ...parts] of cases) {
      const found = await message(location, factory, options);
      for (const part of parts) {
        expect(found).toContain(part);
        expect(page).toContain(part);
      }
    }
    for (const factory of [glide, iovalkey]) {
      const found = await message(`valkeys://localhost:${server.port}`, factory, { tls });
      expect(found).toMatch(/(?:no answer|could not be reached) within \d+ ms|connect ETIMEDOUT/);
    }
    for (const part of ["no answer within … ms", "could not be reached within … ms", "connect ETIMEDOUT"]) {
      expect(page).toContain(part);
    }
  });

  it("cluster.md: values of several nodes", async () => {
    const [one, two] = inject("clusterUrl").split(",");
    const { doctor, shown, result } = await attempt({
      page: "guides/cluster.md",
      has: "function products",
      texts: { "valkey://10.0.0.1:6379": one ?? "", "valkey://10.0.0.2:6379": two ?? "" },
      call: 'products(["1", "2", "3"])',
    });
    expect(doctor).toContain(shown);
    const chair = (key: string) => [key, { key, name: "Chair" }];
    expect(result).toMatchObject({
      value: ["product:1", "product:2", "product:3"].map(chair),
      state: "closed",
      topology: "cluster",
    });
  });

  it("cluster.md: the error for keys of several slots, and the command line without a module", async () => {
    const page = readFileSync(join(root, "docs", "guides", "cluster.md"), "utf8");
    await using cache = createCache({
      location: inject("clusterUrl"),
      keyPrefix: "app",
      connectionFactory: glideCluster(),
    });
    const error: unknown = await cache.mget(["a", "b"]).catch((cause: unknown) => cause);
    expect(page).toContain((error as Error).message);
    expect(page).toContain("doctor --url valkey://10.0.0.1:6379 --cluster");
    const [url = ""] = inject("clusterUrl").split(",");
    expect((await cli(["doctor", "--url", url, "--cluster"])).stdout).toMatch(/^ok +connection$/m);
  });

  it("sentinel.md: the primary that sentinels name", async () => {
    const texts = Object.fromEntries(
      sentinels.sentinels.map(({ host, port }, i) => [
        `host: "10.0.0.${i + 1}", port: 26379`,
        `host: "${host}", port: ${port}`,
      ]),
    );
    const { doctor, shown, result } = await attempt({
      page: "guides/sentinel.md",
      has: "function product",
      texts: { ...texts, mymaster: sentinels.service },
    });
    expect(doctor.replaceAll(`//${sentinels.service}`, "//mymaster")).toContain(shown);
    expect(result).toMatchObject({ ...product, topology: "sentinel" });
    const places = sentinels.sentinels.slice(0, 2).flatMap(({ host, port: at }) => ["--sentinel", `${host}:${at}`]);
    const { stdout } = await cli(["doctor", "--url", `valkey://${sentinels.service}`, ...places]);
    expect(stdout).toMatch(/^ok +connection$/m);
  });

  it("elasticache.md: IAM at one server", async () => {
    const host = "master.my-cache.abc123.euc1.cache.amazonaws.com:6379";
    const { doctor, shown, result } = await attempt({
      page: "guides/elasticache.md",
      has: "function product",
      texts: here(host, tlsPort),
      env: { ...AWS, SSL_CERT_FILE: "server-ca.pem" },
    });
    expect(doctor).toContain(shown);
    expect(result).toMatchObject(product);
  });

  it("elasticache.md: IAM in cluster mode, and with a signer of the application's own", async () => {
    const env = { ...AWS, SSL_CERT_FILE: "server-ca.pem" };
    const [port = 0] = nodePorts;
    const found = { value: { id: "b" }, state: "closed", topology: "cluster" };
    for (const [has, host] of [
      ["clustercfg.", "clustercfg.my-cache.abc123.euc1.cache.amazonaws.com:6379"],
      ["serverless.", "my-cache-abc123.serverless.euc1.cache.amazonaws.com:6379"],
    ] as const) {
      const { result, stderr } = await attempt({ page: "guides/elasticache.md", has, texts: here(host, port), env });
      expect(result, stderr).toMatchObject(found);
    }
  });

  it("elasticache.md: the signer gives a serverless cache's token to the cluster", async () => {
    const texts = { "async function sign": "export async function sign" };
    const { folder } = application({ page: "guides/elasticache.md", has: "serverless.", texts });
    const { sign } = (await import(/* @vite-ignore */ pathToFileURL(join(folder, "cache.ts")).href)) as {
      sign(request: object): Promise<string>;
    };
    const url = new URL("http://my-cache/?Action=connect&User=app");
    const signed = new URL(await sign({ url, region: "eu-central-1", service: "elasticache", expiresIn: 900 }));
    expect(signed.host).toBe("my-cache");
    expect(Object.fromEntries(signed.searchParams)).toEqual({
      Action: "connect",
      User: "app",
      ResourceType: "ServerlessCache",
      "X-Amz-Credential": "eu-central-1/elasticache",
      "X-Amz-Expires": "900",
    });
  });

  it("memorydb.md: IAM at a cluster", async () => {
    const { doctor, shown, result } = await attempt({
      page: "guides/memorydb.md",
      has: "function product",
      texts: here("clustercfg.my-cluster.abc123.memorydb.eu-central-1.amazonaws.com:6379", nodePorts[0] ?? 0),
      env: { ...AWS, SSL_CERT_FILE: "server-ca.pem" },
    });
    expect(doctor).toContain(shown);
    expect(result).toMatchObject({ ...product, topology: "cluster" });
  });

  it("memorystore.md: a token as the password of the default user, and the instance's authority", async () => {
    await using instance = await startValkey({ args: tlsArguments(await freePort()) });
    const port = Number(((await command(instance.port, ["CONFIG", "GET", "tls-port"])) as string[])[1]);
    await command(instance.port, ["CONFIG", "SET", "requirepass", "google-token"]);
    const { doctor, shown, result } = await attempt({
      page: "guides/memorystore.md",
      has: "function product",
      texts: here("10.0.0.3:6379", port),
    });
    expect(doctor).toContain(shown);
    expect(result).toMatchObject(product);
  });

  it("azure.md: a token, and the name of the identity", async () => {
    const { doctor, shown, result } = await attempt({
      page: "guides/azure.md",
      has: "function product",
      texts: here("my-cache.westeurope.redis.azure.net:10000", tlsPort),
      env: { AZURE_OBJECT_ID: "object-7", SSL_CERT_FILE: "server-ca.pem" },
    });
    expect(doctor).toContain(shown);
    expect(result).toMatchObject(product);
  });

  it("azure.md: nodes that announce an address which their certificate doesn't name", async () => {
    const trial = {
      page: "guides/azure.md",
      has: "addressMap: ",
      texts: { "my-cache.westeurope.redis.azure.net": "localhost", ":10000": `:${hiddenPort}` },
      env: { AZURE_OBJECT_ID: "object-7", SSL_CERT_FILE: "server-ca.pem" },
    };
    const { result, stderr } = await attempt(trial);
    expect(result, stderr).toMatchObject({ value: { id: "b" }, topology: "cluster" });
    const without = await attempt({
      ...trial,
      texts: { ...trial.texts, "addressMap: ({ port }) => ({ host, port }),": "" },
    });
    expect(without.result).not.toMatchObject({ topology: "cluster" });
  });
});
