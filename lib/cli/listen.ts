import type { TopicValue } from '../node/node'
import { ask, FOLDER_USAGE, folderOption, only } from './client'
import { type Command, parse, wholeOption } from './command'
import { untilInterrupted } from './logs'

export const listen: Command = {
  name: 'listen',
  summary: 'what jobs publish to a topic from now on',
  usage: `rxjs-python listen TOPIC [OPTIONS]

  --count N      ends after N values (default: on Ctrl-C)
${FOLDER_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = parse(args, { ...folderOption, count: { type: 'string' } })
    const topic = only('the topic', positionals)
    let left = values.count === undefined ? Number.POSITIVE_INFINITY : wholeOption('count', values.count, 1)
    const enough = new AbortController()
    const print = (value: unknown) => {
      const { topic, job, value: text } = value as TopicValue
      if (left-- > 0) terminal.print(`Topic '${topic}' : Job '${job}' : Value '${text}'`)
      if (left === 0) enough.abort()
    }
    await untilInterrupted((signal) =>
      ask(values.folder, { op: 'listen', topic }, print, AbortSignal.any([signal, enough.signal])),
    )
    return 0
  },
}
