import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { type AlgorithmStart, type NodeSpec, pipeline, readSpec } from '../../lib/graph'
import { PythonPool } from '../../lib/index'
import { type Trial, tune } from '../../lib/tuning'
import { pythonWith } from '../fixtures/python'
import { temporaryFolder } from '../fixtures/temporary'
import { GRID, UNIFORM } from '../fixtures/tuner'

// biome-ignore lint/suspicious/noExplicitAny: flowInput is what the test gives
type Args = { input: any[] }

describe('the tuner', function () {
  this.timeout(180_000)
  let pool: PythonPool
  before(async function () {
    this.timeout(300_000)
    pool = await PythonPool.open({ python: await pythonWith('tuning'), size: 2, isolation: 'namespace' })
  })
  after(() => pool.close())

  function graphWith(node: string, objective: (args: Args) => unknown, store?: string) {
    return pipeline({
      name: 'optimize',
      pool,
      ...(store === undefined ? {} : { store }),
      nodes: [readSpec(node) as { nodeName: string }],
      algorithms: { 'green-alg': objective },
      pipelines: {
        Green: { nodes: [{ nodeName: 'green', algorithmName: 'green-alg', input: ['@flowInput.hyperParams'] }] },
      },
    })
  }

  it('runs the two specs of the documentation as they are written', async () => {
    const tried: number[] = []
    const first = await graphWith(UNIFORM, ({ input }) => {
      tried.push(input[0].x)
      return (input[0].x - 2) ** 2
    }).run()
    const { best, trials } = first.results.optimizerNode as { best: Trial; trials: Trial[] }
    assert.equal(trials.length, 9)
    assert.deepEqual(tried.toSorted(), trials.map(({ params }) => params.x as number).toSorted())
    assert.ok(tried.every((x) => x >= -10 && x <= 10) && new Set(tried).size === 9)
    assert.equal(best.value, Math.min(...trials.map(({ value }) => value!)))

    const second = await graphWith(GRID, async ({ input }) => input[0].x * 10 + input[0].y).run()
    const grid = second.results.optimizerNode as { best: Trial; trials: Trial[] }
    assert.deepEqual(grid.trials.map(({ params }) => `${params.x} ${params.y}`).sort(), ['1 3', '1 5', '2 3', '2 5'])
    assert.deepEqual([grid.best.params, grid.best.value], [{ x: 1, y: 3 }, 13])
  })

  it('tells all problems of a spec at once, with the pipeline that there is none of', () => {
    const spec = {
      numberOfTrials: 0,
      objectivePipeline: 'Gren',
      hyperParams: [{ name: 'x', suggest: 'int', low: 0.5 }],
    }
    assert.throws(
      () => graphWith(JSON.stringify({ nodeName: 'tuner', kind: 'hyperparamsTuner', spec }), () => 1),
      (error: Error & { problems: string[] }) => {
        const all = error.problems.join('\n')
        for (const part of [
          /numberOfTrials/,
          /did you mean 'Green'/,
          /high' must be a number/,
          /low' must be a whole/,
        ]) {
          assert.match(all, part)
        }
        return true
      },
    )
  })

  it('suggests what each method is for, tries several at a time, and learns', async () => {
    let running = 0
    let most = 0
    const { best, trials } = await tune({
      pool,
      numberOfTrials: 40,
      concurrency: 4,
      direction: 'maximize',
      seed: 7,
      hyperParams: [
        { name: 'rate', suggest: 'loguniform', low: 1e-5, high: 1 },
        { name: 'layers', suggest: 'int', low: 1, high: 5 },
        { name: 'drop', suggest: 'discrete_uniform', low: 0, high: 0.5, q: 0.25 },
        { name: 'step', suggest: 'discrete_uniform', low: 1, high: 3 },
        { name: 'kind', suggest: 'categorical', choices: ['relu', 'tanh', null] },
      ],
      objective: async ({ rate, layers, kind }, { number }) => {
        most = Math.max(most, ++running)
        while (number < 4 && most < 4) await new Promise((resolve) => setTimeout(resolve, 5))
        running--
        if (number === 3) throw new Error('this one fails')
        return -Math.abs(Math.log10(rate as number) + 3) - (layers as number) + (kind === 'relu' ? 1 : 0)
      },
    }).done
    assert.equal(most, 4)
    assert.equal(trials.length, 40)
    assert.deepEqual(
      trials.filter(({ state }) => state === 'failed').map(({ number, error }) => [number, error]),
      [[3, 'this one fails']],
    )
    for (const { params } of trials) {
      const { rate, layers, drop, step, kind } = params as Record<string, number> & { kind: string }
      assert.ok(rate! >= 1e-5 && rate! <= 1 && Number.isInteger(layers) && layers! >= 1 && layers! <= 5)
      assert.ok([0, 0.25, 0.5].includes(drop!) && [1, 2, 3].includes(step!) && ['relu', 'tanh', null].includes(kind))
    }
    assert.ok(best.value! > -2.5, `the best of forty is good: ${best.value}`)
  })

  it('goes on where a killed program was, with what it had not finished', async () => {
    await using folder = await temporaryFolder()
    const program = `
      const { PythonPool } = require(${JSON.stringify(join(__dirname, '../../lib/index.ts'))})
      const { tune } = require(${JSON.stringify(join(__dirname, '../../lib/tuning/index.ts'))})
      PythonPool.open({ python: ${JSON.stringify(pool.info().python.executable)} }).then((pool) => tune({
        pool, store: ${JSON.stringify(folder.path)}, numberOfTrials: 6, concurrency: 2,
        sampler: { name: 'Grid', search_space: { x: [1, 2, 3], y: [10, 20] } },
        objective: ({ x, y }, { number }) => {
          if (number < 3) return x + y
          console.log(x, y)
          return new Promise(() => setInterval(() => {}, 1000))
        },
      }))`
    const child = spawn(process.execPath, ['--import=tsx', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    let heard = ''
    for await (const data of child.stdout) {
      heard += data
      if (heard.split('\n').length === 3) break
    }
    child.kill('SIGKILL')
    await once(child, 'close')
    const journal = join(folder.path, 'tuning.journal')
    await (await import('node:fs/promises')).appendFile(journal, '{"op_code": 4, "half of a li')

    const tried: string[] = []
    const grid = { name: 'Grid', search_space: { x: [1, 2, 3], y: [10, 20] } } as const
    const again = () =>
      tune({
        pool,
        store: folder.path,
        numberOfTrials: 6,
        concurrency: 2,
        sampler: grid,
        objective: ({ x, y }) => {
          tried.push(`${x} ${y}`)
          return (x as number) + (y as number)
        },
      })
    const { trials, study, best } = await again().done
    assert.equal(tried.length, 3, `only what was left: ${tried}`)
    for (const line of heard.trim().split('\n')) assert.ok(tried.includes(line), 'what was broken off is tried again')
    assert.equal(new Set(trials.map(({ params }) => `${params.x} ${params.y}`)).size, 6)
    assert.equal(best.value, 11)
    const next = await again().done
    assert.notEqual(next.study, study, 'a study that is complete is followed by another one')
    assert.equal(tried.length, 9)
    assert.ok((await readFile(journal, 'utf8')).endsWith('\n'))
  })

  it('is not run again by a run from a node after it, unless what it tries has changed', async () => {
    await using folder = await temporaryFolder()
    let tried = 0
    const made = (objective: AlgorithmStart) =>
      pipeline({
        name: 'stored',
        pool,
        store: folder.path,
        nodes: [
          readSpec(UNIFORM) as NodeSpec,
          { nodeName: 'best', algorithm: ({ input }) => input[0], input: ['@optimizerNode.best.value'] },
        ],
        algorithms: { green: objective },
        pipelines: {
          Green: { nodes: [{ nodeName: 'green', algorithmName: 'green', input: ['@flowInput.hyperParams.x'] }] },
        },
      })
    const square: AlgorithmStart = ({ input }) => {
      tried++
      return (input[0] as number) ** 2
    }
    await using first = made(square)
    const whole = await first.run()
    assert.equal(tried, 9)
    await using again = made(square)
    const { results, nodes } = await again.run({ from: 'best' })
    assert.equal(tried, 9)
    assert.equal(nodes.optimizerNode!.cached, true)
    assert.deepEqual(results, whole.results)
    await using other = made(({ input }) => {
      tried++
      return Math.abs(input[0] as number)
    })
    assert.equal((await other.run({ from: 'best' })).nodes.optimizerNode!.cached, false)
    assert.equal(tried, 18)
  })

  it('serves a page that hears of each trial', async () => {
    const tuning = tune({
      pool,
      numberOfTrials: 3,
      chart: true,
      hyperParams: [{ name: 'x', suggest: 'uniform', low: 0, high: 1 }],
      objective: async ({ x }) => {
        await listening
        return x
      },
    })
    let heard = ''
    let listen: () => void
    const listening = new Promise<void>((resolve) => {
      listen = resolve
    })
    const url = (await tuning.chart)!
    const page = await (await fetch(url)).text()
    assert.match(page, /<svg id="history"/)
    const refused = await new Promise((resolve) => get(url, { headers: { host: 'evil.example' } }, resolve))
    assert.equal((refused as { statusCode: number }).statusCode, 403)
    const events = await fetch(`${url}events`)
    listen!()
    const reader = events.body!.pipeThrough(new TextDecoderStream())
    for await (const text of reader) heard += text
    const { best } = await tuning.done
    assert.equal(heard.match(/"trial":/g)?.length, 3)
    assert.ok(heard.includes(`"best":{"number":${best.number}`))
    await assert.rejects(fetch(url))
  })

  it('fails where no trial has a value, and stops when it is told to', async () => {
    const options = { pool, numberOfTrials: 2, hyperParams: [{ name: 'x', suggest: 'int', low: 1, high: 2 }] } as const
    await assert.rejects(tune({ ...options, objective: () => 'good' }).done, {
      code: 'ERR_TUNING',
      message: /one number/,
    })
    const abort = new AbortController()
    const stopped = tune({ ...options, signal: abort.signal, objective: () => abort.abort(new Error('enough')) })
    await assert.rejects(stopped.done, /enough/)
  })
})
