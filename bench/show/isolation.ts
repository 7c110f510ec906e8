/** What the package promises of its isolations. */
import { crashProbe, exitsProbe, interruptProbe, soakProbe } from './containment'
import { costProbe, freeThreadedProbe, hopProbe, parallelProbe, throughputProbe } from './isolated'
import type { Report } from './line'

export const isolation: Report = {
  name: 'isolation',
  probes: [
    parallelProbe('namespace', 1.8),
    parallelProbe('process', 1.8),
    freeThreadedProbe(1.7),
    hopProbe(3),
    throughputProbe(256, 0.7),
    throughputProbe(1024, 0.7),
    throughputProbe(4096, 0.7),
    throughputProbe(16384, 0.7),
    interruptProbe(50),
    costProbe('shared', 50, 5),
    costProbe('namespace', 500, 40),
    costProbe('process', 500, 40),
    crashProbe(1000, 200),
    exitsProbe(100),
    soakProbe(60),
  ],
}
