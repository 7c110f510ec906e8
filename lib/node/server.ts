import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { JobNodeError, RxjsPythonError } from '../errors'
import { lockByFile } from '../pool/file-lock'
import { askNode } from './client'
import { openFolder, socketOf } from './folder'
import { JobNode, type JobNodeOptions } from './node'
import { type Answer, MessageReader, type Request } from './protocol'

/** Who follows and does not read gets no further lines once so many bytes wait. */
const MOST_UNREAD = 1 << 20

export interface ListeningNode {
  readonly node: JobNode
  readonly socket: string
  /** How many jobs have come back. */
  readonly back: number
  /** Ends it: every job takes a checkpoint first. */
  close(): Promise<void>
}

/**
 * Starts a node and its socket, which only its user may open.
 *
 * @throws JobNodeError `ERR_JOB_NODE_RUNNING` where a node listens already, `ERR_JOB_NODE_FOLDER` where others may open its folder
 */
export async function listenAsNode(options: JobNodeOptions): Promise<ListeningNode> {
  await openFolder(options.folder)
  const path = socketOf(options.folder)
  // Two nodes that start at once: the second one looks when the first one listens.
  const unlock = await lockByFile(`${path}.lock`)
  const sockets = new Set<Socket>()
  try {
    await demandNobody(path)
    const node = new JobNode(options)
    const back = await node.open()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      socket.on('error', () => {})
      serve(node, socket)
    })
    await listen(server, path)
    const close = async () => {
      server.close()
      await node.close()
      for (const socket of sockets) socket.destroy()
      await rm(path, { force: true })
    }
    return { node, socket: path, back, close }
  } finally {
    await unlock()
  }
}

async function demandNobody(path: string): Promise<void> {
  try {
    await askNode(path, { op: 'list' })
  } catch (error) {
    if (!(error instanceof JobNodeError) || error.code !== 'ERR_JOB_NODE_ABSENT') throw error
    // What a node that was killed has left.
    await rm(path, { force: true })
    return
  }
  throw new JobNodeError(
    'ERR_JOB_NODE_RUNNING',
    `a node listens at ${path} already: name another --folder for a second one`,
  )
}

/** Nobody else may open the socket, from its first moment on. */
async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177)
  try {
    server.listen(path)
    await once(server, 'listening')
  } finally {
    process.umask(before)
  }
}

function serve(node: JobNode, socket: Socket): void {
  const reader = new MessageReader<Request>()
  socket.on('data', (chunk) => {
    try {
      for (const request of reader.read(chunk)) void answer(node, request, socket)
    } catch (error) {
      write(socket, failure(error))
      socket.end()
    }
  })
}

async function answer(node: JobNode, request: Request, socket: Socket): Promise<void> {
  try {
    write(socket, { done: (await carryOut(node, request, socket)) ?? null })
  } catch (error) {
    write(socket, failure(error))
  }
}

function failure(error: unknown): Answer {
  const code = error instanceof RxjsPythonError ? error.code : 'ERR_JOB_NODE_REQUEST'
  return { error: { code, message: (error as Error).message } }
}

async function carryOut(node: JobNode, request: Request, socket: Socket): Promise<unknown> {
  switch (request.op) {
    case 'submit':
      return await node.submit(request)
    case 'list':
      return await node.list()
    case 'suspend':
    case 'resume':
      return await node[request.op](request.name)
    case 'cancel':
      return await node.cancel(request.name, request.keep)
    case 'logs':
      return await sendLog(node, request, socket)
    case 'listen':
      return await follow(socket, (next) =>
        node.listen((value) => {
          if (value.topic === request.topic) next(value)
        }),
      )
    default:
      throw new JobNodeError('ERR_JOB_NODE_REQUEST', `the node does not know '${(request as { op: unknown }).op}'`)
  }
}

async function sendLog(node: JobNode, { name, lines, follow: on }: Request & { op: 'logs' }, socket: Socket) {
  const log = node.logOf(name)
  for (const line of await log.last(lines)) write(socket, { value: line })
  if (on) await follow(socket, (next) => log.follow(next))
}

/** Sends what comes until the other side leaves. */
async function follow(socket: Socket, subscribe: (next: (value: unknown) => void) => () => void): Promise<void> {
  if (socket.destroyed) return
  const end = subscribe((value) => {
    if (socket.writableLength < MOST_UNREAD) write(socket, { value })
  })
  await once(socket, 'close').finally(end)
}

function write(socket: Socket, answer: Answer): void {
  if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`)
}
