/** What the package promises of its speed against other ways to Python, measured beside them. */

import { jsonProbe, latencyProbe, leadProbe } from './against'
import { autoBatchProbe } from './auto-batch'
import { growthProbe, interpretersProbe } from './growth'
import type { Report } from './line'
import { arrayHopProbe } from './processes'
import { forestColumnsProbe, forestProbe, identityProbe, syncProbe } from './throughput'

const CEILING = 0.7

export const speed: Report = {
  name: 'speed',
  probes: [
    identityProbe(1, 8, { times: 3 }),
    identityProbe(1, 64, { times: 6 }),
    identityProbe(16, 8, { times: 3 }),
    identityProbe(256, 8, { times: 3 }),
    identityProbe(1024, 8, { share: CEILING }),
    identityProbe(4096, 8, { share: CEILING }),
    identityProbe(16384, 8, { share: CEILING }),
    syncProbe(1, 1.5),
    syncProbe(16, 1.5),
    syncProbe(256, 2),
    syncProbe(1024, 2),
    jsonProbe(16, 2, 1.2),
    jsonProbe(256, 2, 1.2),
    jsonProbe(1024, 2, 1.2),
    forestProbe(1024, 0.97, 1.9),
    forestColumnsProbe(1024, 0.97),
    leadProbe(1),
    leadProbe(16),
    leadProbe(256),
    leadProbe(1024),
    leadProbe(4096),
    arrayHopProbe(1.5),
    latencyProbe(10, 800),
    autoBatchProbe(0.95, 20),
    growthProbe(0.9, 0.02),
    interpretersProbe('process', 16),
    interpretersProbe('shared', 16),
  ],
}
