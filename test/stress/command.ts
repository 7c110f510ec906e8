/** What the programs of `npm run` here have in common. */

/** A whole number that an option gives, `least` or more; throws an error that names the option. */
export function count(option: string, text: string, least = 1): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < least) throw new Error(`--${option}: "${text}" is not ${least} or more`)
  return number
}

/** The seed that was asked for, else a new one. */
export function seedOf(text: string | undefined): number {
  const seed = Number(text ?? Math.floor(Math.random() * 2 ** 31))
  if (!Number.isInteger(seed)) throw new Error(`--seed: "${text}" is not a whole number`)
  return seed
}

/** Runs `main` and leaves with the status that it gives, or with 2 where it throws. */
export function runMain(main: () => Promise<number>): void {
  main().then(
    (status) => {
      process.exitCode = status
    },
    (error) => {
      console.error(error)
      process.exitCode = 2
    },
  )
}
