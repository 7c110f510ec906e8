/** Lines that compare with whoever is best, whatever that is made of. */
import { median, short } from '../harness/stats'
import { jvmDrivers } from '../peers/drivers'
import { atMost, type Outcome, type Probe } from './line'
import { asynchronousPeers, availablePeers, best, compare, ratio, runsHere } from './throughput'

/** Records of 14 fields: items per second against the best peer, and the JavaScript thread against JSON alone. */
export function jsonProbe(size: number, times: number, cost: number): Probe {
  return {
    lines: [
      { name: `JSON records of 14 fields at batch ${size}, against the best peer`, target: `at least ${times}x` },
      {
        name: `CPU of the JavaScript thread for a record at batch ${size}, against JSON.stringify and JSON.parse`,
        target: `at most ${cost}x`,
      },
    ],
    async run(context) {
      const peers = await asynchronousPeers(context, 'json')
      const results = await compare(context, { case: 'json', size, inFlight: 8 }, ['shared', ...peers, 'javascript'])
      const ours = results.get('shared')!
      const alone = results.get('javascript')!
      return [ratio(times, ours, best(results, peers)), threadCost(cost, ours.threadUsPerItem, alone.threadUsPerItem)]
    },
  }
}

function threadCost(limit: number, ours: number | undefined, alone: number | undefined): Outcome {
  if (ours === undefined || alone === undefined) {
    return { value: 'this system does not say what a thread takes', holds: false }
  }
  return atMost(ours / alone, limit, `${ours.toFixed(2)} µs against ${alone.toFixed(2)} µs`)
}

/**
 * What each makes of this machine with the model: ours with two interpreters, Jet with one and with two instances, the
 * npm packages as they are. How ours does with one interpreter stands beside it.
 */
export function leadProbe(size: number): Probe {
  return {
    lines: [
      {
        name: `RandomForest at batch ${size}, two interpreters against the best npm peer and Jet with up to two instances`,
        target: 'at least 1x',
      },
    ],
    async run(context) {
      const jets: string[] = []
      for (const driver of jvmDrivers.filter(({ name }) => name.startsWith('jet'))) {
        if (await runsHere(driver, context)) jets.push(driver.name)
      }
      const others = [...(await availablePeers(context, 'forest')), ...jets]
      const longer = { ...context, seconds: context.seconds * 2 }
      const setting = { case: 'forest', size, inFlight: 8 }
      const results = await compare(longer, setting, ['shared', 'namespace', ...others])
      const top = best(results, others)
      const outcome = ratio(1, results.get('namespace')!, top)
      const one = median(results.get('shared')!.rounds) / median(top.rounds)
      const measured = jets.map((name) => results.get(name)!).filter(({ failure }) => failure === undefined)
      const ofJet = measured.length > 0 ? `Jet ${short(median(best(results, jets).rounds))}/s` : 'no Jet here'
      // Without Jet the line has not been shown.
      const holds = outcome.holds && measured.length > 0
      return [{ value: `${outcome.value}; one interpreter ${one.toFixed(2)}x; ${ofJet}`, holds }]
    },
  }
}

/** Single records now and then. */
export function latencyProbe(rate: number, limitUs: number): Probe {
  return {
    lines: [
      {
        name: `one record at ${rate}/s, p99 above the handler's own time`,
        target: `under ${(limitUs / 1000).toFixed(1)} ms`,
      },
    ],
    async run(context) {
      const seconds = Math.max(2, 20 * context.share)
      const setting = { case: 'latency', size: rate, inFlight: 1 }
      const results = await compare({ ...context, seconds }, setting, ['shared'])
      const { p50, p99, calls } = results.get('shared')!.latency!
      const details = `p50 ${(p50 / 1000).toFixed(2)} ms, ${calls} calls`
      return [{ value: `${(p99 / 1000).toFixed(2)} ms, ${details}`, holds: p99 < limitUs }]
    },
  }
}
