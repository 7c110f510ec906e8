// Builds build/Release/rxjs_python.node (or Debug with --debug), whatever prebuilt binaries there are.
import { nodeGyp } from './node-gyp.mjs'

const debug = process.argv.includes('--debug')
process.exit(nodeGyp(['configure', 'build', ...(debug ? ['--debug'] : [])]))
