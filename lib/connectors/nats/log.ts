import { oneByOne, type PositionedLists, type ReplaySource } from '../../jobs/sources'
import { Inbox } from '../inbox'
import type { Link } from '../link'
import { type NatsJetStream, natsLink } from './connection'
import { passing, prepareStream } from './consumer'
import { type Arrived, bufferOf, Pull } from './pull'
import type { NatsSourceSettings } from './source'

/** Reads a stream by itself; positions are sequences. */
export class LogSource<T> implements ReplaySource<T, number> {
  private readonly link: Link<NatsJetStream>

  constructor(private readonly settings: NatsSourceSettings<T>) {
    const { what, common } = settings
    this.link = natsLink(what, settings, common as never, (server) => prepareStream(server, settings as never))
  }

  read(position: number | undefined, signal?: AbortSignal): AsyncIterable<readonly [T, number]> {
    return oneByOne(this.readMany(position, signal))
  }

  readMany(position: number | undefined, signal?: AbortSignal): PositionedLists<T, number> {
    return this.lists(position, signal)
  }

  close(): Promise<void> {
    return this.link.close()
  }

  private async *lists(
    position: number | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<(readonly [T, number])[]> {
    const { link } = this
    const { common, end, start } = this.settings
    const over = link.signal
    const stopped = () => signal?.aborted || common.signal?.aborted || over.aborted
    let last = position
    while (!stopped()) {
      const inbox = new Inbox<Arrived>()
      const stop = () => inbox.end()
      for (const one of [signal, common.signal, over]) one?.addEventListener('abort', stop)
      let pull: Pull | undefined
      try {
        const begun = await link.use(signal, async (server) => {
          // From now on it is known what is new.
          if (last === undefined && start === 'new') last = await this.newest(server)
          return this.begin(server, last, inbox)
        })
        if (begun === undefined) return
        pull = begun.pull
        if (end && begun.pending === 0) return
        while (await inbox.ready()) {
          const list: (readonly [T, number])[] = []
          let pending = 1
          for (const message of inbox.pollMany(common.batch)) {
            pull.taken()
            const { sequence, subject, data } = message
            last = sequence
            pending = message.pending
            try {
              list.push([common.codec.decode(bufferOf(message)), sequence])
            } catch (error) {
              // Where a bad one is the stream's error, those before it come before that.
              if (list.length > 0) yield list.splice(0)
              common.deadLetters.add(error, { subject, data, sequence }, sequence as never)
            }
          }
          if (stopped()) return
          if (list.length > 0) yield list
          if (end && pending === 0) return
        }
        return
      } catch (error) {
        if (stopped()) return
        await link.failed(error, signal)
      } finally {
        for (const one of [signal, common.signal, over]) one?.removeEventListener('abort', stop)
        await pull?.stop()
      }
    }
  }

  private async newest({ manager }: NatsJetStream): Promise<number> {
    return (await manager.streams.info(this.settings.stream)).state.last_seq
  }

  private async begin(server: NatsJetStream, last: number | undefined, inbox: Inbox<Arrived>) {
    const { stream, common } = this.settings
    const { name, pending } = await passing(server, this.settings as never, last)
    let deliveries = 0
    const pull = new Pull({
      server,
      stream,
      consumer: name,
      most: 2 * common.batch,
      take(message) {
        // Nothing is acknowledged, so what gets lost on its way is missed here.
        if (message.delivery === ++deliveries) inbox.push(message)
        else inbox.fail(new Error(`message ${deliveries} of the consumer is missing`))
      },
      fail: (error) => inbox.fail(error),
    })
    return { pull, pending }
  }
}
