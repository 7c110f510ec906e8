import { connect } from 'node:net'
import { JobNodeError } from '../errors'
import { type Answer, MessageReader, type Request } from './protocol'

/**
 * Asks the node behind a socket, and gives what it answers at last; `onValue` gets each value of what is followed. Ends early,
 * with undefined, when `signal` aborts.
 *
 * @throws JobNodeError what the node says, or `ERR_JOB_NODE_ABSENT` where none listens
 */
export async function askNode(
  path: string,
  request: Request,
  onValue: (value: unknown) => void = () => {},
  signal?: AbortSignal,
): Promise<unknown> {
  const socket = connect(path)
  const leave = () => socket.destroy()
  signal?.addEventListener('abort', leave, { once: true })
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    const reader = new MessageReader<Answer>()
    for await (const chunk of socket) {
      for (const answer of reader.read(chunk as Buffer)) {
        if ('value' in answer) onValue(answer.value)
        else if ('done' in answer) return answer.done
        else throw new JobNodeError(answer.error.code as 'ERR_JOB_NODE_REQUEST', answer.error.message)
      }
    }
  } catch (error) {
    if (signal?.aborted) return undefined
    throw explained(error, path)
  } finally {
    signal?.removeEventListener('abort', leave)
    socket.destroy()
  }
  if (signal?.aborted) return undefined
  throw new JobNodeError('ERR_JOB_NODE_REQUEST', `the node at ${path} ended before it had answered`)
}

function explained(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    const advice = 'start one with `rxjs-python node`, or name its folder with --folder'
    return new JobNodeError('ERR_JOB_NODE_ABSENT', `no node listens at ${path}: ${advice}`)
  }
  if (code === 'EACCES') return new JobNodeError('ERR_JOB_NODE_FOLDER', `the node at ${path} belongs to another user`)
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new JobNodeError('ERR_JOB_NODE_REQUEST', `the node at ${path} ended before it had answered`)
  }
  return error
}
