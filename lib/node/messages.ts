/** What a node and the process of one of its jobs say to each other, over the channel that `fork` makes. */
import type { JobState } from '../jobs'

/** What a job's process begins with. */
export interface WorkerTask {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly folder: string
}

export type WorkerOrder = 'suspend' | 'resume' | 'cancel' | 'stop' | 'status'

export type ToWorker =
  | { readonly kind: 'task'; readonly task: WorkerTask }
  | { readonly kind: 'order'; readonly id: number; readonly order: WorkerOrder }

export interface WorkerStatus {
  readonly state: JobState
  readonly epoch: number
}

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'started' }
  | { readonly kind: 'completed' }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'topic'; readonly topic: string; readonly value: string }
  | { readonly kind: 'answer'; readonly id: number; readonly status?: WorkerStatus; readonly problem?: string }
