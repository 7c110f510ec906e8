import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RequirementsError } from '../../lib/errors'
import { workerEnvironment } from '../../lib/pool/environment'
import type { PythonInfo } from '../../lib/pool/locate'
import { ensureEnvironment } from '../../lib/pool/requirements'
import { environmentSetting, failure } from '../fixtures/environment'
import { basePython } from '../fixtures/python'

describe('the folder of environments', function () {
  this.timeout(120_000)
  let python: PythonInfo
  before(async () => {
    python = await basePython()
  })

  it("is this user's alone, whatever the umask", async () => {
    await using set = await environmentSetting(python)
    const before = process.umask(0)
    try {
      await ensureEnvironment(set.options)
    } finally {
      process.umask(before)
    }
    const envs = join(set.folder.path, 'cache', 'envs')
    const [key] = await readdir(envs)
    for (const folder of [dirname(envs), envs, join(envs, key!)]) {
      assert.equal((await stat(folder)).mode & 0o777, 0o700, folder)
    }
  })

  it('is refused where everybody may write into it', async () => {
    await using set = await environmentSetting(python)
    await ensureEnvironment(set.options)
    const envs = join(set.folder.path, 'cache', 'envs')
    const home = join(envs, (await readdir(envs))[0]!)
    await chmod(home, 0o777)
    const error = await failure(ensureEnvironment(set.options))
    assert.ok(error instanceof RequirementsError)
    assert.match(error.message, /Every user of this machine may write into/)
    await chmod(home, 0o755)
    await ensureEnvironment(set.options)
  })

  it('of others may be read-only, as long as it is not open to all', async () => {
    await using set = await environmentSetting(python)
    await mkdir(join(set.folder.path, 'cache'), { mode: 0o755 })
    await ensureEnvironment(set.options)
  })
})

describe('the environment of worker processes', () => {
  it('takes no secrets along, and what the option says comes last', () => {
    const given = {
      PATH: '/bin',
      LC_ALL: 'C',
      OMP_NUM_THREADS: '2',
      NODE_OPTIONS: '--inspect',
      npm_config_token: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
      DATABASE_URL: 'postgres://user:password@host',
      GITHUB_TOKEN: 'x',
      PATHOLOGICAL: 'x',
    }
    assert.deepEqual(workerEnvironment(given, { PATH: '/usr/bin', GITHUB_TOKEN: 'wanted', LC_ALL: undefined }), [
      'PATH=/usr/bin',
      'OMP_NUM_THREADS=2',
      'GITHUB_TOKEN=wanted',
    ])
  })
})
