// Three jobs with windows, a join, keyed state in memory and on the disk, Python state and file sinks; whoever starts this kills it at some moment.
// Plain JavaScript, so that it runs on the built package with nothing to load that takes time.
import { createRequire } from 'node:module'
import { map, share } from 'rxjs'

const { main, folder, python, handlers, every } = JSON.parse(process.argv[2])
const { index, jobs, streams } = createRequire(import.meta.url)(main)
const { mapPython, PythonPool } = index
const { appendFile, fileLines, runJob, step } = jobs
const { average, countWindow, diskState, filterItems, inWindows, keyBy, mapItems, mapKeyed } = streams
const { pythonAggregate, rolling, session, sliding, streamJoin, sum, throughItems, timestampBy, tumbling, values } =
  streams

const pool = await PythonPool.open({ python, path: handlers, isolation: 'shared' })
const numberOf = (item) => item.value

/** Lines of a key, a time and a number. */
function read(job) {
  return job.source('lines', fileLines(`${folder}/lines.txt`)).pipe(
    map((line) => line.split(' ')),
    timestampBy(([, time]) => Number(time), { disorder: 40 }),
    mapItems(([key, , value]) => ({ key, value: Number(value) })),
    keyBy((item) => item.key),
  )
}

const shape = mapItems(({ key, start, value }) => ({ key, start, value }))

const pipelines = {
  slides: (job) =>
    read(job).pipe(
      step(
        'changes',
        mapKeyed(
          (item, state) => {
            const value = item.value - (state.get() ?? 0)
            state.set(item.value)
            return { key: item.key, value }
          },
          { store: () => diskState({ memory: 10 }) },
        ),
      ),
      step('averages', rolling(average(numberOf))),
      step('slides', inWindows(sliding(200, 50), sum())),
      shape,
    ),
  sessions: (job) =>
    read(job).pipe(step('sessions', inWindows(session(15), pythonAggregate('tally:Most', { pool }))), shape),
  joins: (job) => {
    const items = read(job).pipe(share())
    const even = items.pipe(filterItems((item) => item.value % 2 === 0))
    const odd = items.pipe(filterItems((item) => item.value % 2 !== 0))
    return even.pipe(
      step('join', streamJoin(odd, tumbling(20), { kind: 'outer' })),
      mapItems(({ left, right }) => ({ value: (left?.value ?? 0) * 1000 + (right?.value ?? 0) })),
      step('counts', inWindows(countWindow(7), sum(numberOf))),
      shape,
    )
  },
}

const running = await Promise.all(
  Object.entries(pipelines).map(([name, make]) =>
    runJob({
      name,
      pipeline: (job) =>
        make(job).pipe(step('tally', throughItems(mapPython('tally:Tally', { pool, batch: 64 }))), values()),
      sink: appendFile(`${folder}/${name}.out`),
      checkpoint: { store: folder, every },
    }),
  ),
)
await Promise.all(running.map((job) => job.done))
await pool.close()
