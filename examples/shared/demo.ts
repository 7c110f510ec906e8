/** Runs an example as a program: what it prints goes to the terminal, and an error is exit status 1. */
export function runDemo(demo: (args: readonly string[], print: (line: string) => void) => Promise<unknown>): void {
  demo(process.argv.slice(2), (line) => console.log(line)).catch((error: unknown) => {
    // Shows an error of Python's with its Python traceback.
    console.error(error)
    process.exitCode = 1
  })
}
