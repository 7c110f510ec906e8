import { defineConfig } from 'tsup'
// @ts-expect-error a plain script
import { entries } from './scripts/entries.mjs'

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
    entry: entries,
  },
  sourcemap: true,
  clean: true,
})
