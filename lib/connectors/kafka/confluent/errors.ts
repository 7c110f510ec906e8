import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaError } from '../../../errors'
import { ask, Code, type LibraryClient, type LibraryError, type LibraryLog } from './library'

/** How long one attempt may keep a thread of Node's pool. */
export const ATTEMPT = 5000

const FENCED: readonly number[] = [Code.Fenced, Code.ProducerFenced, Code.InvalidProducerEpoch]

/** What the client said, as an error of ours. */
export function errorOf(what: string, error: unknown): KafkaError {
  if (error instanceof KafkaError) return error
  const { code, message } = error as LibraryError
  if (FENCED.includes(code)) {
    return new KafkaError(
      'ERR_KAFKA_FENCED',
      `${what}: another producer has taken the place of this one, which must not write any more (${message})`,
      { cause: error },
    )
  }
  return new KafkaError('ERR_KAFKA_CLIENT', `${what}: ${message}${code === undefined ? '' : ` (${code})`}`, {
    cause: error,
  })
}

/** Connects. Why that failed (a password, a certificate) the client tells its log alone: here it is in the error. */
export async function connected(client: LibraryClient): Promise<void> {
  let why: string | undefined
  client.on('event.log', ({ fac, message }: LibraryLog) => {
    if (fac === 'FAIL' && /authentication|ssl/i.test(message)) why = message
  })
  try {
    await ask((done) => client.connect({ timeout: ATTEMPT }, done))
  } catch (error) {
    if (why === undefined) throw error
    // "[thrd:name]: name: what has happened"
    throw new KafkaError('ERR_KAFKA_CLIENT', why.replace(/^\[thrd:[^\]]*\]: /, ''), { cause: error })
  }
}

/** A call that is repeated while the brokers cannot be reached, for at most `patience` milliseconds. */
export async function patiently<R>(
  what: string,
  patience: number,
  call: (done: (error: LibraryError | null | undefined, result: R) => void) => unknown,
): Promise<R> {
  const end = Date.now() + patience
  for (let pause = 50; ; pause = Math.min(1000, pause * 2)) {
    try {
      return await ask<R>(call)
    } catch (error) {
      const { isRetriable, code } = error as LibraryError
      if ((!isRetriable && code !== Code.TimedOut) || Date.now() > end)
        throw error instanceof Error ? error : errorOf(what, error)
      await sleep(pause)
    }
  }
}
