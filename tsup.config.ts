import { defineConfig } from 'tsup'

/**
 * The implementation exists once, as CommonJS: the default pool, the gates and the error classes must be the same for
 * `import` and for `require`, and for all entries of the package. scripts/build-dist.mjs adds the entries, thin wrappers
 * around it.
 */
export default defineConfig({
  entry: { main: 'lib/main.ts' },
  outDir: 'dist',
  format: ['cjs'],
  outExtension: () => ({ js: '.cjs' }),
  target: 'node20',
  platform: 'node',
  tsconfig: 'tsconfig.build.json',
  dts: {
    entry: {
      index: 'lib/index.ts',
      batch: 'lib/batch/index.ts',
      graph: 'lib/graph/index.ts',
      jobs: 'lib/jobs/index.ts',
      streams: 'lib/streams/index.ts',
      testing: 'lib/testing.ts',
    },
  },
  sourcemap: true,
  clean: true,
})
