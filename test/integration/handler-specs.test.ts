import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { HandlerError, OptionError } from '../../lib/errors'
import { failsWith } from '../fixtures/failures'
import { HANDLERS, inEachMode, openPool, withPool } from '../fixtures/modes'
import { temporaryFolder } from '../fixtures/temporary'

inEachMode('naming a handler', (test) => {
  const file = (name: string) => join(HANDLERS, name)
  const named: [spec: string, name: string, result: string][] = [
    ['pkg', 'pkg:handle', 'x from pkg'],
    ['pkg:handle', 'pkg:handle', 'x from pkg'],
    ['pkg.inner:handle', 'pkg.inner:handle', 'x from pkg.inner'],
    [file('one/same.py'), 'same.py:handle', 'one'],
    [`${file('one/same.py')}:handle`, 'same.py:handle', 'one'],
    [file('two/same.py'), 'same.py:handle', 'two'],
    [`${file('two/same.py')}:late`, 'same.py:late', 'two, late'],
  ]
  for (const [spec, name, result] of named) {
    it(`finds ${relative(HANDLERS, spec).startsWith('..') ? spec : relative(HANDLERS, spec)}`, async () => {
      const handler = test.pool.handler(spec)
      assert.equal(handler.name, name)
      assert.deepEqual(await handler.call(['x', 'x']), [result, result])
    })
  }

  it('keeps two files of the same name apart, open at once', async () => {
    const one = test.pool.handler(file('one/same.py'))
    const two = test.pool.handler(file('two/same.py'))
    assert.deepEqual(await Promise.all([one.call([1]), two.call([1])]), [['one'], ['two']])
  })

  it('looks for a relative file in the folders of `path`', async () => {
    assert.deepEqual(await test.pool.handler('one/same.py').call([1]), ['one'])
    assert.deepEqual(await test.pool.handler('seen.py:look').call([1]), ['1'])
  })

  it('takes inline source as a string, or as an object', async () => {
    const sources = [
      'lambda batch: [item + 1 for item in batch]',
      'def handle(batch):\n    return [item + 1 for item in batch]',
      'def anything(batch): return [item + 1 for item in batch]',
      'async def anything(batch): return [item + 1 for item in batch]',
      'import math\ndef handle(batch): return [item + int(math.sqrt(1)) for item in batch]',
      'class Adder:\n    def __call__(self, batch): return [item + 1 for item in batch]',
      { source: 'lambda batch: [item + 1 for item in batch]' },
      { source: '(lambda step: lambda batch: [item + step for item in batch])(1)', function: undefined },
      { source: 'def other(b): return b\ndef add(b): return [i + 1 for i in b]', function: 'add' },
      { source: 'class Tools:\n  @staticmethod\n  def add(b): return [i + 1 for i in b]', function: 'Tools.add' },
    ]
    for (const source of sources) {
      assert.deepEqual(await test.pool.handler(source).call([1, 2]), [2, 3], JSON.stringify(source))
    }
  })

  it('takes source that is indented as the JavaScript around it is', async () => {
    const handler = test.pool.handler(`
      FACTOR = 3

      def handle(batch):
          text = """kept
      as it is"""
          return [item * FACTOR for item in batch]
    `)
    assert.deepEqual(await handler.call([2]), [6])
  })

  it('lets inline source use classes that look up their module', async () => {
    const handler = test.pool.handler(`
      from __future__ import annotations
      from dataclasses import dataclass
      from typing import get_type_hints

      @dataclass
      class Answer:
          value: int

      def handle(batch):
          return [[Answer(item), sorted(get_type_hints(Answer))] for item in batch]
    `)
    assert.deepEqual(await handler.call([1]), [[{ value: 1 }, ['value']]])
  })
})

withPool('a handler that is not there', (test) => {
  const missing: [spec: string | { source: string; function?: string }, message: RegExp][] = [
    ['no_such_module:handle', /there is no module 'no_such_module'.*option `path`/],
    ['sene:handle', /there is no module 'sene'.* Did you mean 'seen'/],
    ['seen:handel', /seen .*has no function 'handel'.* Did you mean 'handle'\? It defines: .*look/],
    ['seen.inner:handle', /there is no module 'seen.inner'|not a package/],
    ['pkg:Nothing.handle', /has no function 'Nothing.handle'/],
    ['values:VALUES', /'VALUES' in values cannot be called: it is of type dict/],
    ['no/such/file.py', /there is no file .*no\/such\/file\.py/],
    ['sene.py:look', /there is no file .*sene\.py/],
    [`${HANDLERS}/sene.py:look`, /there is no file .*sene\.py\. Did you mean 'seen\.py'/],
    [`${HANDLERS}/seen.py:lok`, /Did you mean 'look'/],
    [{ source: 'def one(b): return b\ndef two(b): return b' }, /defines one, two, and none of them is named 'handle'/],
    [{ source: 'x = 1' }, /defines no function/],
    [{ source: '41 + 1' }, /comes to an int, which cannot be called/],
    [{ source: 'def one(b): return b', function: 'two' }, /has no function 'two'/],
  ]
  for (const [spec, message] of missing) {
    it(`is an error of the first call: ${JSON.stringify(spec).replace(HANDLERS, '')}`, async () => {
      const error = await failsWith(test.pool.handler(spec).call([1]), HandlerError, 'ERR_HANDLER_NOT_FOUND')
      assert.match(error.message, message)
    })
  }

  it('is one for every call, also with an empty batch, and none where nobody calls', async () => {
    const handler = test.pool.handler('no_such_module')
    const errors = await Promise.all(
      [[1], [], [2]].map((batch) => failsWith(handler.call(batch), HandlerError, 'ERR_HANDLER_NOT_FOUND')),
    )
    assert.equal(errors.length, 3)
    await handler.close()
    test.pool.handler('no_such_module_either')
  })

  const broken: [spec: string | { source: string }, code: string, type: string, message: RegExp][] = [
    ['broken_syntax', 'ERR_HANDLER_SYNTAX', 'SyntaxError', /broken_syntax\.py, line \d/],
    ['imports_broken', 'ERR_HANDLER_SYNTAX', 'SyntaxError', /broken_syntax\.py, line \d/],
    ['one/../broken_syntax.py', 'ERR_HANDLER_SYNTAX', 'SyntaxError', /broken_syntax\.py, line \d/],
    [{ source: 'def handle(batch):\n  return (batch' }, 'ERR_HANDLER_SYNTAX', 'SyntaxError', /inline-\d+>, line \d/],
    [{ source: 'lambda batch: batch batch' }, 'ERR_HANDLER_SYNTAX', 'SyntaxError', /line 1/],
    [{ source: 'def handle(b):\n\treturn b\n        x' }, 'ERR_HANDLER_SYNTAX', 'TabError|IndentationError', /line 3/],
    [
      'broken_import',
      'ERR_HANDLER_INIT',
      'ModuleNotFoundError',
      /No module named 'no_such_package_anywhere'.*pip install/,
    ],
    ['broken_inside', 'ERR_HANDLER_INIT', 'KeyError', /'missing'/],
    ['broken_inside.py', 'ERR_HANDLER_INIT', 'KeyError', /'missing'/],
    [{ source: 'handle = 1 / 0' }, 'ERR_HANDLER_INIT', 'ZeroDivisionError', /division by zero/],
    [{ source: 'import sys\nsys.exit(4)' }, 'ERR_HANDLER_INIT', 'SystemExit', /sys\.exit\(4\) was called/],
    [{ source: 'exec("1 +")' }, 'ERR_HANDLER_INIT', 'SyntaxError', /invalid syntax/],
    [{ source: 'import sklearn_not_there' }, 'ERR_HANDLER_INIT', 'ModuleNotFoundError', /sklearn_not_there/],
  ]
  for (const [spec, code, type, message] of broken) {
    it(`is told from one that does not load: ${JSON.stringify(spec)}`, async () => {
      const error = await failsWith(test.pool.handler(spec).call([1]), HandlerError, code)
      assert.match(error.pythonType, new RegExp(`^(${type})$`))
      assert.match(error.message, message)
      assert.doesNotMatch(error.pythonTraceback, /rxjs_python\/_/, 'our own frames are of no use to anybody')
    })
  }

  it('shows the lines of the module that failed', async () => {
    const error = await failsWith(test.pool.handler('broken_inside').call([]), HandlerError, 'ERR_HANDLER_INIT')
    assert.match(error.pythonTraceback, /broken_inside\.py", line 8.*\n +TABLE = table\(\)/)
    assert.match(error.pythonTraceback, /line 5, in table\n +return \{\}\["missing"\]/)
  })

  it('can be mended and opened again', async () => {
    await using folder = await temporaryFolder()
    const pool = await openPool({ path: folder.path })
    const file = join(folder.path, 'mended.py')
    await writeFile(file, 'def handle(batch) return batch')
    await failsWith(pool.handler('mended').call([1]), HandlerError, 'ERR_HANDLER_SYNTAX')
    await writeFile(file, 'def handle(batch): return [item + 1 for item in batch]')
    assert.deepEqual(await pool.handler('mended').call([1]), [2])
    await pool.close()
  })

  it('is refused at once where its name cannot be one', () => {
    for (const spec of ['a b:c', 'module:', ':handle', 'module:a:b', '1module', 'module.:x', 'a-b', '-']) {
      assert.throws(() => test.pool.handler(spec), OptionError, spec)
    }
    for (const spec of ['', '  ', 'a\0b', 5, null, undefined, {}, { source: '' }, { source: 'x', function: '' }]) {
      assert.throws(() => test.pool.handler(spec as string), OptionError, String(spec))
    }
  })
})

describe('option path', function () {
  this.timeout(60_000)

  it('puts its folders first, in their order, and takes them away again', async () => {
    const path = [join(HANDLERS, 'one'), join(HANDLERS, 'two')]
    const pool = await openPool({ path })
    const where = pool.handler('same:handle')
    assert.deepEqual(await where.call([1]), ['one'])
    const folders = pool.handler('lambda batch: [list(__import__("sys").path)]')
    const [during] = (await folders.call([1])) as [string[]]
    assert.deepEqual(during.slice(0, 2), path)
    await pool.close()
    const next = await openPool({ path: [...path].reverse() })
    assert.deepEqual(await next.handler('same:handle').call([1]), ['two'], 'a module of a closed pool is forgotten')
    const [after] = (await next.handler('lambda batch: [list(__import__("sys").path)]').call([1])) as [string[]]
    assert.deepEqual(after.filter((folder) => folder.startsWith(HANDLERS)).slice(0, 2), [...path].reverse())
    await next.close()
  })

  it('says where two pools of one interpreter want different modules of the same name', async () => {
    const one = await openPool({ path: join(HANDLERS, 'one') })
    const two = await openPool({ path: join(HANDLERS, 'two') })
    try {
      assert.deepEqual(await one.handler('same').call([1]), ['one'])
      const error = await failsWith(two.handler('same').call([1]), HandlerError, 'ERR_HANDLER_NOT_FOUND')
      assert.match(error.message, /two\/same\.py cannot be imported as 'same': .*one\/same\.py/)
      assert.deepEqual(
        await two
          .handler('two/same.py')
          .call([1])
          .catch(() => 'not there'),
        'not there',
      )
      assert.deepEqual(await two.handler(join(HANDLERS, 'two/same.py')).call([1]), ['two'])
    } finally {
      await Promise.all([one.close(), two.close()])
    }
  })

  it('takes a folder with any name', async () => {
    await using folder = await temporaryFolder()
    const strange = join(folder.path, 'a \'b\' "c" é€😀 %s {0}')
    await mkdir(strange)
    await writeFile(join(strange, 'odd_one.py'), 'def handle(batch): return [__file__ for _ in batch]')
    const pool = await openPool({ path: strange })
    assert.deepEqual(await pool.handler('odd_one').call([1]), [join(strange, 'odd_one.py')])
    assert.deepEqual(await pool.handler(join(strange, 'odd_one.py')).call([1]), [join(strange, 'odd_one.py')])
    await pool.close()
  })

  it('may be a relative folder, or one that is not there', async () => {
    const pool = await openPool({ path: [relative(process.cwd(), HANDLERS), '/no/such/folder'] })
    assert.deepEqual(await pool.handler('seen').call([1]), [1])
    await pool.close()
  })
})
