/** What a machine says of itself. */
export interface Reading {
  readonly machine: number
  readonly temperature: number
  readonly vibration: number
  readonly load: number
}

/** What the model says of it: `worker` is the process whose interpreter said so, `loads` how often that has loaded the model. */
export interface Score {
  readonly machine: number
  readonly risk: number
  readonly worker: number
  readonly loads: number
}

/** So many readings, the same ones each time. */
export function* readings(count: number): Generator<Reading> {
  let seed = 12345
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return (seed + 0.5) / 2 ** 32
  }
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  for (let machine = 0; machine < count; machine++) {
    yield { machine, temperature: normal(), vibration: normal(), load: normal() }
  }
}

/** Whether it is about to fail: what the model has to find out. */
export function isFailing({ temperature, vibration, load }: Reading): boolean {
  return temperature > 1.2 || vibration * load > 0.8
}
