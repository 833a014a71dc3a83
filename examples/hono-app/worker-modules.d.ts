/** What wrangler.toml's rules make of files that are no code. */
declare module "*.bin" {
  const bytes: ArrayBuffer;
  // biome-ignore lint/style/noDefaultExport: that is how such modules are made
  export default bytes;
}

declare module "*.html" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: that is how such modules are made
  export default text;
}
