import { setMaxListeners } from 'node:events'

/** A controller whose signal any number of tasks may listen to; Node would take more than ten for a leak, and warn. */
export function sharedController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
