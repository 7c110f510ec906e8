/** What change data capture promises: the copy is as the table, whatever is killed. */
import { join } from 'node:path'
import { changesKillRun } from '../../../test/stress/changes-run'
import { packageFolder } from '../../harness/paths'
import type { Probe } from '../line'

const KILLS = 50

export const changesProbe: Probe = {
  lines: [
    {
      name: 'PostgreSQL changes → Python → PostgreSQL, kill -9 of the job at random moments',
      target: `${KILLS} kills, the target equals the expected table`,
    },
  ],
  async run({ share, environment }) {
    const kills = Math.max(5, Math.round(KILLS * share))
    const seed = Math.floor(Math.random() * 2 ** 31)
    const main = join(packageFolder, 'dist', 'main.cjs')
    const report = await changesKillRun({ python: environment.python, seed, kills, main })
    const { early, transactions, rows, different } = report
    return [
      {
        value:
          `${report.kills} kills (${early} before all rows were read), ${transactions} transactions, ` +
          `${different} of ${rows} rows different, seed ${seed}`,
        holds: report.kills >= kills && rows > 0 && different === 0,
      },
    ]
  },
}
