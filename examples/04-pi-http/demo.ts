// Pi over HTTP, on demand: polled once, and pushed once. README.md, beside this file, says more.
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'
import { runDemo } from '../shared/demo'
import type { Estimate } from './estimates'
import { startServer } from './server'

export interface PiHttpResult {
  readonly polled: Estimate
  /** How often it was asked for before it was there. */
  readonly polls: number
  readonly pushed: Estimate
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<PiHttpResult> {
  const points = Number(args[0] ?? 1_000_000)
  const server = await startServer()
  try {
    const first = await request(server.url, points)
    print(`POST /pi {"points":${points}} → 202 ${JSON.stringify(first)}`)
    const second = await request(server.url, points)
    print(`POST /pi {"points":${points}} → 202 ${JSON.stringify(second)}`)
    const push = pushedOf(server.url, second.id)

    let polled = await poll(server.url, first.id)
    let polls = 1
    for (; polled.state === 'waiting'; polls++) {
      if (polls === 1) print(`GET /pi/${first.id} → ${polled.state}`)
      await sleep(100)
      polled = await poll(server.url, first.id)
    }
    print(`GET /pi/${first.id}, ${polls} times → ${polled.state}, pi is about ${polled.pi}`)
    const pushed = await push
    print(`WebSocket /pi/${second.id} ← ${pushed.state}, pi is about ${pushed.pi}`)
    return { polled, polls, pushed }
  } finally {
    await server.close()
  }
}

export async function request(url: string, points: number): Promise<Estimate> {
  const response = await fetch(`${url}/pi`, { method: 'POST', body: JSON.stringify({ points }) })
  const answer = (await response.json()) as Estimate & { problem?: string }
  if (response.status !== 202) throw new Error(`${response.status}: ${answer.problem}`)
  return answer
}

export async function poll(url: string, id: string): Promise<Estimate> {
  return (await (await fetch(`${url}/pi/${id}`)).json()) as Estimate
}

/** What a WebSocket is told when the estimate is ready. */
export async function pushedOf(url: string, id: string): Promise<Estimate> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/pi/${id}`)
  return await new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(JSON.parse(String(data)) as Estimate))
    socket.once('error', reject)
  })
}

if (require.main === module) runDemo(demo)
