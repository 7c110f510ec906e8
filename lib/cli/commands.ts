import { cancel } from './cancel'
import type { Command } from './command'
import { info } from './info'
import { list } from './list'
import { listen } from './listen'
import { logs } from './logs'
import { node } from './node'
import { resume } from './resume'
import { runs } from './runs'
import { submit } from './submit'
import { suspend } from './suspend'
import { tensorboard } from './tensorboard'

/** All subcommands, in the order of the help. */
export const commands: readonly Command[] = [
  node,
  submit,
  list,
  logs,
  listen,
  suspend,
  resume,
  cancel,
  runs,
  info,
  tensorboard,
]
