// The place of valkey-glide in bundles, which can't hold its native addon unless they are configured for it. Bundlers choose this file
// by the condition "module"; the condition "valkey-glide" comes before it (`imports` of package.json).
export {};
