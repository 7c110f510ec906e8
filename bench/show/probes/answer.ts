import { writeSync } from 'node:fs'

/** Runs a probe's program: its request is the first argument, its answer goes to file 3 as JSON. */
export function answer<Request, Answer>(program: (request: Request & { python: string }) => Promise<Answer>): void {
  program(JSON.parse(process.argv[2]!)).then(
    (result) => {
      writeSync(3, JSON.stringify(result))
    },
    (error) => {
      console.error(error instanceof Error ? error.stack : error)
      process.exit(1)
    },
  )
}
