import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CENSUS_SIZE, generateCensus } from '../../examples/02-salary/generator'
import { parseOptions } from '../../examples/02-salary/options'
import { readCensus, writeCensus } from '../../examples/02-salary/records'

describe('the salary example', () => {
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'salary-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  async function fileWith(text: string): Promise<string> {
    const file = join(folder, 'census.data')
    await writeFile(file, text)
    return file
  }

  it('generates the same records on every machine', () => {
    const census = generateCensus()
    assert.equal(census.people.length, CENSUS_SIZE)
    assert.equal(
      createHash('sha256').update(writeCensus(census)).digest('hex'),
      'fd04fb9a0336fd7bff2c895fec10c920d10df922da943671b56cf0e2f695f426',
    )
  })

  it('generates other records from another seed, and the same first ones whatever the number', () => {
    const people = generateCensus(200).people
    assert.notDeepEqual(generateCensus(200, 1).people, people)
    assert.deepEqual(generateCensus(50).people, people.slice(0, 50))
  })

  it('generates about as many high incomes as the census found', () => {
    const { incomes } = generateCensus()
    const share = incomes.filter((income) => income === '>50K').length / incomes.length
    assert.ok(share > 0.2 && share < 0.28, `${share}`)
  })

  it('reads what it writes', async () => {
    const census = generateCensus(300)
    assert.deepEqual(await readCensus(await fileWith(writeCensus(census))), census)
  })

  it('reads only as many records as it is asked for', async () => {
    const census = generateCensus(300)
    const { people, incomes } = await readCensus(await fileWith(writeCensus(census)), 120)
    assert.deepEqual(people, census.people.slice(0, 120))
    assert.equal(incomes.length, 120)
  })

  it('names the line of a file that is not as it should be', async () => {
    const lines = writeCensus(generateCensus(3)).split('\n')
    lines[2] = lines[2]!.replace(/, [^,]*$/, '')
    await assert.rejects(readCensus(await fileWith(lines.join('\n'))), /line 3: 14 fields where the header has 15/)
  })

  it('names the columns that a file lacks', async () => {
    await assert.rejects(readCensus(await fileWith('age, income\n1, 2\n')), /lacks workclass, fnlwgt/)
  })

  it('refuses options that make no sense', () => {
    assert.throws(() => parseOptions(['--size', 'many']), /--size many: must be a whole number/)
    assert.throws(() => parseOptions(['--batch', '0']), /--batch 0/)
    assert.throws(() => parseOptions(['--records', '7']), /from 100 up/)
    assert.throws(() => parseOptions(['--isolation', 'process']), /must be auto, shared, namespace/)
    assert.throws(() => parseOptions(['--data', join(folder, 'nowhere')]), /there is no file/)
    assert.throws(() => parseOptions(['--colour']), /--colour/)
  })

  it('has a default for every option', () => {
    const { size, ...others } = parseOptions([])!
    assert.ok(size >= 1 && size <= 4)
    assert.deepEqual(others, {
      data: undefined,
      records: undefined,
      batch: 1024,
      isolation: 'auto',
      python: undefined,
      check: false,
    })
  })
})
