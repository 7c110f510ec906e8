/** The program as it runs from the repository; in the package dist/cli.cjs does the same. */
import { main } from './main'

main(process.argv.slice(2)).then((status) => {
  process.exitCode = status
})
