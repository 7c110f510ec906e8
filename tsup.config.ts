import { defineConfig } from 'tsup'

/**
 * The implementation exists once, as CommonJS: the default pool, the gates and the error classes must be the same for
 * `import` and for `require`. scripts/build-dist.mjs adds the ES module entry, a thin wrapper around it.
 */
export default defineConfig({
  entry: { index: 'lib/index.ts', streams: 'lib/streams/index.ts', testing: 'lib/testing.ts' },
  // What the entries share (gates, error classes) is in files of its own, so that it exists once for all of them.
  splitting: true,
  outDir: 'dist',
  format: ['cjs'],
  outExtension: () => ({ js: '.cjs' }),
  target: 'node20',
  platform: 'node',
  tsconfig: 'tsconfig.build.json',
  dts: true,
  sourcemap: true,
  clean: true,
})
