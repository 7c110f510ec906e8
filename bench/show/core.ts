/** What the package promises of its main job. */
import type { Report } from './line'
import { arrayHopProbe, eventLoopProbe, memoryProbe } from './processes'
import { demoProbe, errorCodesProbe, testsProbe } from './project'
import { forestProbe, identityProbe } from './throughput'

const CALLS = 100_000
const HANDLERS = 10_000
const FLAT = 0.02

export const core: Report = {
  name: 'core',
  probes: [
    demoProbe(0.84),
    identityProbe(1, 8, { times: 2 }),
    identityProbe(1, 64, { times: 5 }),
    identityProbe(16, 8, { times: 2 }),
    identityProbe(256, 8, { times: 1.5 }),
    identityProbe(1024, 8, { times: 1.3, share: 0.5 }),
    identityProbe(4096, 8, { times: 1.3, share: 0.5 }),
    identityProbe(16384, 8, { times: 1.3, share: 0.5 }),
    forestProbe(1024, 0.95, 1.8),
    eventLoopProbe(20),
    arrayHopProbe(1.5),
    memoryProbe('memory over 100,000 calls, codec string', 'string', CALLS, FLAT),
    memoryProbe('memory over 100,000 calls, codec json', 'json', CALLS, FLAT),
    memoryProbe('memory over 100,000 calls, codec buffer', 'buffer', CALLS, FLAT),
    memoryProbe('memory over 100,000 calls, codec array', 'array', CALLS, FLAT),
    memoryProbe('memory over 10,000 handlers opened and closed', 'handlers', HANDLERS, FLAT),
    errorCodesProbe,
    testsProbe,
  ],
}
