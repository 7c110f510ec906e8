import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { program } from '../fixtures/program'
import { temporaryFolder } from '../fixtures/temporary'

const NAME = 'Müller €😀'

/** What the environment says of languages and encodings; nothing else of that is in it. */
const ENVIRONMENTS: Record<string, NodeJS.ProcessEnv> = {
  nothing: {},
  'LC_ALL=C': { LC_ALL: 'C' },
  'LANG of a locale that is not installed': { LANG: 'xx_YY.UTF-8' },
  'LANG=C.UTF-8': { LANG: 'C.UTF-8' },
  'LC_ALL=C and PYTHONUTF8=1': { LC_ALL: 'C', PYTHONUTF8: '1' },
}
const NONE = { LANG: undefined, LC_ALL: undefined, LC_CTYPE: undefined, PYTHONUTF8: undefined }

for (const isolation of ['shared', 'namespace', 'process'] as const) {
  describe(`files with names of any letters, and what is in them (${isolation})`, function () {
    this.timeout(60_000)

    for (const [title, env] of Object.entries(ENVIRONMENTS)) {
      it(`are read as Python's own program reads them; the environment says ${title}`, async () => {
        await using folder = await temporaryFolder()
        const strange = join(folder.path, NAME)
        await mkdir(strange)
        await writeFile(join(strange, 'note.txt'), NAME)
        await writeFile(
          join(strange, 'letters.py'),
          [
            'import os, sys',
            'def handle(batch):',
            '    folder = os.path.dirname(__file__)',
            '    with open(os.path.join(folder, "note.txt")) as file:',
            '        return [os.path.basename(folder), file.read(), sys.getfilesystemencoding()]',
          ].join('\n'),
        )
        const { stdout, stderr, status } = await program(
          `
            const options = { python, path: ${JSON.stringify(strange)}, isolation: '${isolation}' }
            const pool = await py.PythonPool.open(options)
            console.log(JSON.stringify(await pool.handler('letters').call([1, 2, 3])))
            await pool.close()
          `,
          { ...NONE, ...env },
        )
        assert.equal(stdout, `${JSON.stringify([NAME, NAME, 'utf-8'])}\n`, stderr)
        assert.equal(status, 0)
      })
    }

    it("are not UTF-8 where PYTHONUTF8=0 says so and there is no locale, as in Python's own program", async () => {
      const env = { ...NONE, LC_ALL: 'C', PYTHONUTF8: '0' }
      const { stdout, stderr, status } = await program(
        `
          const encoding = 'import sys; print(sys.getfilesystemencoding())'
          const plain = require('node:child_process').execFileSync(python, ['-c', encoding], { encoding: 'utf8' })
          const pool = await py.PythonPool.open({ python, path, isolation: '${isolation}' })
          const source = 'import sys\\ndef handle(batch): return [sys.getfilesystemencoding()]'
          console.log([plain.trim(), ...(await pool.handler({ source }).call([1]))].join())
          await pool.close()
        `,
        env,
      )
      assert.equal(stdout, 'ascii,ascii\n', stderr)
      assert.equal(status, 0)
    })
  })
}
