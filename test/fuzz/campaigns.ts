/** The campaigns of the JavaScript side by name; each one runs in a process of its own (run.ts). */
import { addonCampaign } from './addon'
import { roundTripCampaign } from './round-trip'

/** Works until `until` (as `performance.now()`), with random numbers from `seed`; resolves to its executions. */
export type Campaign = (seed: number, until: number) => Promise<number>

export const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  'addon-shared': (seed, until) => addonCampaign('shared', seed, until),
  'addon-process': (seed, until) => addonCampaign('process', seed, until),
  'codecs-shared': (seed, until) => roundTripCampaign('shared', seed, until),
  'codecs-namespace': (seed, until) => roundTripCampaign('namespace', seed, until),
  'codecs-process': (seed, until) => roundTripCampaign('process', seed, until),
}
