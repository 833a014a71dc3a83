/** What a handler of the application's own changes: times that a test can wait for. */
export const options = {
  location: process.env.VALKEY_URL,
  keepBuilds: "2s",
  commandTimeout: 0.5,
  generationTimeout: 1,
};
