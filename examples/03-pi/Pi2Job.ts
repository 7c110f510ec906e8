// rxjs-python submit Pi2Job.ts
import { piJob } from './job'

export default piJob('pi2')
