import { defineConfig } from 'tsup'

/**
 * The implementation exists once, as CommonJS: the default pool, the gates and the error classes must be the same for
 * `import` and for `require`. scripts/build-dist.mjs adds the ES module entry, a thin wrapper around it.
 */
export default defineConfig({
  entry: ['lib/index.ts'],
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
