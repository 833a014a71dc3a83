import { ConfigurationError } from "../core/errors.js";
import { checkOptions, isFunction, isOneOf, isText } from "../core/options.js";
import { describeCredentials, type GetCredentials } from "./credentials.js";

/** What to sign as a query string, by Signature Version 4. */
export interface SigningRequest {
  /** For the method GET: `http://cluster/?Action=connect&User=user`. */
  readonly url: URL;
  /** The region of the option `region`. */
  readonly region: string;
  /** The service to sign for, of the option `service`. */
  readonly service: "elasticache" | "memorydb";
  /** How long the token may be used to log in, in seconds: 15 minutes. */
  readonly expiresIn: number;
}

/** Options of `elasticacheIam()`. */
export interface ElastiCacheIamOptions {
  /** Name of the cluster or replication group, which is not its address. */
  clusterName: string;
  /** Region of the cluster, such as `"eu-central-1"`. */
  region: string;
  /** The service that runs it. @default "elasticache" */
  service?: "elasticache" | "memorydb" | undefined;
  /** Name of the ElastiCache or MemoryDB user that IAM authenticates. */
  user: string;
  /**
   * Signs a URL with AWS credentials, and returns the signed URL or its text. Used by every transport; `iovalkey()` needs it.
   * @default valkey-glide's own signer
   */
  sign?: ((request: SigningRequest) => Promise<URL | string>) | undefined;
}

/** What valkey-glide needs to sign by itself. */
export interface IamSettings {
  readonly clusterName: string;
  readonly region: string;
  readonly service: "elasticache" | "memorydb";
  readonly user: string;
}

const LIFETIME_S = 900;
const signedByGlide = new WeakMap<GetCredentials, IamSettings>();

/** What valkey-glide is to sign in the place of these credentials, if it is. */
export function iamOf(credentials: GetCredentials | undefined): IamSettings | undefined {
  return credentials && signedByGlide.get(credentials);
}

/**
 * Credentials of ElastiCache and MemoryDB users that IAM authenticates, for the option `credentials`. AWS requires TLS, so
 * the location begins with `valkeys://` or `rediss://`.
 *
 * Without `sign`, valkey-glide signs with the AWS credentials of the process. It has a new token for each connection that it
 * opens, and does not log open ones in again: AWS ends them after 12 hours. With `sign`, which every transport uses, open
 * connections log in again as well, every 10 to 12 minutes.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({
 *   location: "valkeys://my-cache.abc123.euc1.cache.amazonaws.com:6379",
 *   credentials: elasticacheIam({ clusterName: "my-cache", region: "eu-central-1", user: "app" }),
 * });
 */
export function elasticacheIam(options: ElastiCacheIamOptions): GetCredentials {
  checkOptions<ElastiCacheIamOptions>("elasticacheIam", options, {
    clusterName: isText,
    region: isText,
    service: isOneOf("elasticache", "memorydb"),
    user: isText,
    sign: isFunction,
  });
  for (const name of ["clusterName", "region", "user"] as const) {
    if (options[name] !== undefined) continue;
    throw new ConfigurationError(`elasticacheIam: option "${name}" is missing; give it as AWS shows it`);
  }
  const { region, service = "elasticache", user, sign } = options;
  // AWS keeps names in lower case, and signatures contain them.
  const clusterName = options.clusterName.toLowerCase();
  const settings = { clusterName, region, service, user };
  const credentials: GetCredentials = async () => {
    if (!sign) throw needsSign("this transport");
    const url = new URL(`http://${clusterName}/`);
    url.search = String(new URLSearchParams({ Action: "connect", User: user }));
    const expiresAt = Date.now() + LIFETIME_S * 1_000;
    const signed = await sign({ url, region, service, expiresIn: LIFETIME_S });
    // The token is the URL without its scheme.
    return { username: user, password: String(signed).replace(/^https?:\/\//, ""), expiresAt };
  };
  if (!sign) signedByGlide.set(credentials, settings);
  describeCredentials(credentials, {
    id: sign ? undefined : `elasticacheIam ${JSON.stringify(settings)}`,
    check(factory, { tls, display }) {
      if (!sign && factory === "iovalkey") throw needsSign("iovalkey()");
      if (tls) return;
      throw new ConfigurationError(
        `${factory}: elasticacheIam() needs TLS, as AWS does, and ${display} is plain text; give a valkeys:// or rediss:// URL`,
      );
    },
  });
  return credentials;
}

function needsSign(where: string): ConfigurationError {
  return new ConfigurationError(
    `elasticacheIam: option "sign" is missing, and ${where} can't sign by itself; give a signer, or use valkey-glide`,
  );
}
