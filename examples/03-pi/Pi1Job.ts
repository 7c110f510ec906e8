// rxjs-python submit Pi1Job.ts
import { piJob } from './job'

export default piJob('pi1')
