// mocha's spec reporter (or dot, with RXJS_PYTHON_TEST_REPORTER=dot) that also writes its totals to a file, because a
// number read out of printed text is wrong as soon as a test prints something like it.
const { writeFileSync } = require('node:fs')
const { relative } = require('node:path')
const { reporters } = require('mocha')

/** Milliseconds that the process has to end by itself after the last test. */
const LEAVE_TIME = 30_000

const Base = process.env.RXJS_PYTHON_TEST_REPORTER === 'dot' ? reporters.Dot : reporters.Spec

module.exports = class Totals extends Base {
  constructor(runner, options) {
    super(runner, options)
    const failed = []
    runner.on('fail', (test, error) => {
      const file = test.file && relative(process.cwd(), test.file)
      failed.push({ file, title: test.fullTitle(), message: String(error?.message ?? error).split('\n', 1)[0] })
    })
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats
      writeFileSync(process.env.RXJS_PYTHON_TEST_TOTALS, JSON.stringify({ passes, failures, pending, failed }))
      setTimeout(() => {
        console.error(`The tests have ended, and ${LEAVE_TIME / 1000} s later something still keeps the process.`)
        process.exit(1)
      }, LEAVE_TIME).unref()
    })
  }
}
