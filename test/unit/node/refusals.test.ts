import assert from 'node:assert/strict'
import { chmod, mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { askNode } from '../../../lib/node/client'
import { TestNode } from '../../fixtures/node/nodes'

describe('what a job node refuses', () => {
  let node: TestNode

  before(async () => {
    node = await TestNode.start('--max-jobs', '1')
  })
  after(() => node.dispose())

  /** One line, without a stack of ours, with a code and exit status 1. */
  async function refused(said: Promise<{ status: number; problems: string }>, code: string, text: RegExp) {
    const { status, problems } = await said
    assert.equal(status, 1, problems)
    assert.match(problems, text)
    assert.ok(problems.endsWith(`[${code}]\n`), problems)
  }

  it('a job that throws at once is not kept, and its error is shown', async () => {
    await refused(
      node.submit('throwing'),
      'ERR_JOB_NODE_START',
      /job 'throwing' failed as it started: Error: no such model\n +at /,
    )
    assert.equal((await node.run('list')).out, 'the node has no jobs\n')
  })

  it('a module without a job, and a file that is not there', async () => {
    await refused(node.submit('nodes'), 'ERR_JOB_NODE_START', /nodes.ts has no default export/)
    await refused(node.submit('nowhere'), 'ERR_JOB_NODE_START', /there is no file .*nowhere.ts/)
    await refused(node.submit('counting', '--name', '../x'), 'ERR_JOB_NODE_JOB', /'..\/x' cannot be the name of a job/)
  })

  it('a job more than it takes, and a name that is taken', async () => {
    assert.equal((await node.submit('counting', '--', node.file('full.txt'))).status, 0)
    await refused(
      node.submit('counting', '--name', 'second', '--', node.file('second.txt')),
      'ERR_JOB_NODE_FULL',
      /the node is full: it has 1 job and takes no more than 1; cancel one/,
    )
    await refused(node.submit('counting'), 'ERR_JOB_NODE_JOB', /a job 'counting' is there already \(running\)/)
    await refused(node.run('resume', 'second'), 'ERR_JOB_NODE_JOB', /the node has no job 'second': there is counting/)
    assert.equal((await node.run('cancel', 'counting')).status, 0)
  })

  it('a second node on its socket', async () => {
    await refused(node.run('node'), 'ERR_JOB_NODE_RUNNING', /a node listens at .*node.sock already/)
    assert.equal((await node.run('list')).status, 0)
  })

  it('a folder that others may open, that is too long, or that is a file', async () => {
    const open = node.file('open')
    await mkdir(open)
    await chmod(open, 0o750)
    await refused(node.run('node', '--folder', open), 'ERR_JOB_NODE_FOLDER', /others may open .*chmod 700/)
    await refused(
      node.run('node', '--folder', node.file('x'.repeat(120))),
      'ERR_JOB_NODE_FOLDER',
      /has a path too long for the socket/,
    )
  })

  it('a client where no node is', async () => {
    const nobody = node.file('nobody')
    await refused(node.run('list', '--folder', nobody), 'ERR_JOB_NODE_ABSENT', /no node listens at .*rxjs-python node/)
  })

  it('what is not a request', async () => {
    const socket = join(node.folder, 'node.sock')
    const nonsense = { op: 'nonsense' } as unknown as { op: 'list' }
    await assert.rejects(askNode(socket, nonsense), {
      code: 'ERR_JOB_NODE_REQUEST',
      message: /does not know 'nonsense'/,
    })
  })

  it('is told from a server that hangs up', async () => {
    const socket = node.file('other.sock')
    const server = createServer((client) => client.resume().end())
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    await assert.rejects(askNode(socket, { op: 'list' }), { code: 'ERR_JOB_NODE_REQUEST' })
    await new Promise((resolve) => server.close(resolve))
  })
})
