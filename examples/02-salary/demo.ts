// Trains a salary model in Python and streams census records through it. README.md, beside this file, says more.
import { join } from 'node:path'
import { lastValueFrom, tap, toArray } from 'rxjs'
// In a program of your own: from 'rxjs-python'
import { fromIterable, type Handler, mapPython, PythonPool } from '../../lib/index'
import { compareWithPlain } from './check'
import { predictor, prepareData, train } from './model'
import { type DemoOptions, parseOptions } from './options'
import type { Person, Salary } from './records'
import { number, Progress, table } from './screen'

const BATCH_SIZES = [1, 16, 256, 1024, 4096]
/** About how long each line of the closing table is measured, in milliseconds. */
const MEASURE = 1_500

/** The record of the talk that this example comes from. What it leaves out counts as not known. */
const SAMPLE = {
  age: 25,
  workclass: 'Self-emp',
  fnlwgt: 176756,
  education: 'HS-grad',
  'education-num': 9,
  'marital-status': 'Never-married',
  occupation: 'Farming-fishing',
  relationship: 'Own-child',
  'capital-gain': 0,
  'capital-loss': 0,
  'hours-per-week': 35,
  'native-country': 'United-States',
} as Person

async function main(options: DemoOptions): Promise<void> {
  const { file, census } = await prepareData(options.data, options.records)
  console.log(`records: ${number(census.people.length)} ${options.data === undefined ? 'generated' : `from ${file}`}`)

  console.log('setting up Python with numpy and scikit-learn (the first time takes a minute) …')
  await using pool = await PythonPool.open({
    python: options.python,
    path: [__dirname],
    requirements: join(__dirname, 'requirements.txt'),
    size: options.size,
    isolation: options.isolation,
    onProgress: (line) => console.log(`  ${line}`),
  })

  console.log('training a RandomForest of 100 trees …')
  const model = await train(pool, file, options.records)
  const origin = model.cached ? 'taken from the cache' : `trained in ${model.seconds.toFixed(1)} s`
  console.log(
    `model: ${number(model.trained)} records, ${origin} (Python ${model.python}, scikit-learn ${model.sklearn})`,
  )

  const score = predictor(pool, model)
  const heldOut = model.heldOut.map((row) => census.people[row]!)
  const predictions = await stream(score, heldOut, options)
  await showSamples(score, heldOut, predictions)
  await showTable(score, heldOut, options)

  const right = model.heldOut.filter((row, index) => predictions[index]!.income === census.incomes[row]).length
  console.log(`\naccuracy: ${(right / model.heldOut.length).toFixed(4)}`)

  if (options.check) {
    const { equal, total, difference } = await compareWithPlain(
      predictions,
      model.heldOut,
      model.executable,
      file,
      options.records,
    )
    console.log(`predictions: ${equal} of ${total} equal to plain scikit-learn`)
    if (difference !== undefined) {
      console.error(`first difference: ${difference}`)
      process.exitCode = 1
    }
  }
}

/** The main run: the records that the model has not seen, in order, each with its prediction. */
async function stream(score: Handler<Person, Salary>, people: Person[], options: DemoOptions): Promise<Salary[]> {
  const progress = new Progress('streaming', people.length)
  const predictions = await lastValueFrom(
    fromIterable(people).pipe(
      mapPython(score, { batch: options.batch, concurrency: lanes(options) }),
      tap(() => progress.step()),
      toArray(),
    ),
  )
  progress.finish()
  return predictions
}

async function showSamples(score: Handler<Person, Salary>, people: Person[], predictions: Salary[]): Promise<void> {
  const [answer] = await score.call([SAMPLE])
  const samples = [[SAMPLE, answer], ...people.slice(0, 2).map((person, index) => [person, predictions[index]])]
  for (const [person, salary] of samples) {
    console.log(`\n${JSON.stringify(person)}\n  → ${JSON.stringify(salary, rounded)}`)
  }
}

/** Four digits are enough to look at; the stream carries them all. */
function rounded(key: string, value: unknown): unknown {
  return key === 'probability' ? Number((value as number).toFixed(4)) : value
}

async function showTable(score: Handler<Person, Salary>, people: Person[], options: DemoOptions): Promise<void> {
  const interpreters = `${options.size} ${options.size === 1 ? 'interpreter' : 'interpreters'}`
  console.log(`\nJSON in, JSON out, ${interpreters}:\n`)
  const rows: string[][] = []
  for (const batch of BATCH_SIZES) {
    const { records, seconds } = await measure(score, people, batch, options)
    rows.push([number(batch), number(records), seconds.toFixed(2), number(records / seconds)])
  }
  console.log(table(['batch', 'records', 'seconds', 'records/s'], rows))
}

/** Streams the records round and round, always in full batches, for about `MEASURE`. */
async function measure(score: Handler<Person, Salary>, people: Person[], batch: number, options: DemoOptions) {
  const sample = [...rounds(people, batch)]
  await score.call(sample)
  const calling = performance.now()
  await score.call(sample)
  const batches = options.size * Math.max(4, Math.ceil(MEASURE / (performance.now() - calling)))

  const started = performance.now()
  let records = 0
  await lastValueFrom(
    fromIterable(rounds(people, batches * batch)).pipe(
      // No batch but the last may go before it is full.
      mapPython(score, { batch: { maxItems: batch, maxWait: 1_000 }, concurrency: lanes(options) }),
      tap(() => {
        records += 1
      }),
    ),
  )
  return { records, seconds: (performance.now() - started) / 1000 }
}

/** `count` items; after the last one comes the first one again. */
function* rounds<T>(items: readonly T[], count: number): Generator<T> {
  for (let index = 0; index < count; index += 1) yield items[index % items.length]!
}

/** Batches in flight: one at work and one waiting for each interpreter, so that none of them is ever idle. */
function lanes(options: DemoOptions): number {
  return 2 * options.size
}

async function run(): Promise<void> {
  let options: DemoOptions | undefined
  try {
    options = parseOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`demo: ${(error as Error).message}`)
    process.exitCode = 2
  }
  if (options !== undefined) await main(options)
}

run().catch((error: unknown) => {
  // Shows an error of Python's with its Python traceback.
  console.error(error)
  process.exitCode = 1
})
