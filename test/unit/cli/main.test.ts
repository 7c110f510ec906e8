import assert from 'node:assert/strict'
import { UsageError } from '../../../lib/cli/command'
import { commands } from '../../../lib/cli/commands'
import { main } from '../../../lib/cli/main'

/** Runs the program and keeps what it says. */
async function run(...args: string[]) {
  const said = { out: '', problems: '' }
  const status = await main(args, {
    print: (text) => {
      said.out += `${text}\n`
    },
    complain: (text) => {
      said.problems += `${text}\n`
    },
  })
  return { status, ...said }
}

describe('the command line', () => {
  it('lists every subcommand, in its help and where none is named', async () => {
    for (const args of [['--help'], ['help'], []]) {
      const { status, out } = await run(...args)
      assert.equal(status, args.length === 0 ? 2 : 0)
      for (const { name, summary } of commands) assert.match(out, new RegExp(`^ {2}${name} +${literal(summary)}$`, 'm'))
    }
  })

  it('has a usage for each subcommand that begins with its name', async () => {
    for (const { name, usage } of commands) {
      const { status, out } = await run(name, '--help')
      assert.deepEqual([status, out], [0, `${usage}\n`])
      assert.ok(usage.startsWith(`rxjs-python ${name}`), usage)
    }
  })

  it('says that a subcommand or an option is not there, with exit status 2', async () => {
    const unknown = await run('nodes')
    assert.equal(unknown.status, 2)
    assert.match(unknown.problems, /there is no subcommand 'nodes'/)
    for (const { name } of commands) {
      const { status, problems } = await run(name, '--no-such-option')
      assert.equal(status, 2, name)
      assert.match(problems, /Unknown option '--no-such-option'/)
      assert.match(problems, new RegExp(`rxjs-python ${name} --help`))
    }
  })

  it('prints its version', async () => {
    assert.match((await run('--version')).out, /^\d+\.\d+\.\d+/)
  })

  it('gives errors of its own a code', () => assert.equal(new UsageError('no').code, 'ERR_USAGE'))

  it('shows what Python a pool would take', async () => {
    const { status, out } = await run('info')
    assert.equal(status, 0, out)
    assert.match(out, /^Python +3\.\d+/m)
    const none = await run('info', '--python', '/no/such/python')
    assert.equal(none.status, 1)
    assert.match(none.problems, /\[ERR_PYTHON_NOT_FOUND\]/)
  })
})

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
