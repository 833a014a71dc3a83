import { get } from "node:http";

/** Asks the tests' origin through node:http, which Next doesn't patch: a page that does so counts as static. */
export function ask(name) {
  // The build needs no origin.
  if (process.env.NEXT_PHASE === "phase-production-build") return { generation: 0 };
  return new Promise((resolve, reject) => {
    get(`${process.env.ORIGIN_URL}/${name}`, async (response) => {
      try {
        const parts = [];
        for await (const part of response) parts.push(part);
        const text = Buffer.concat(parts).toString();
        if (response.statusCode !== 200) throw new Error(text);
        resolve(JSON.parse(text));
      } catch (error) {
        reject(error);
      }
    }).on("error", reject);
  });
}
