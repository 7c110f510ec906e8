import type { Command } from './command'
import { info } from './info'
import { runs } from './runs'

/** All subcommands, in the order of the help. */
export const commands: readonly Command[] = [info, runs]
