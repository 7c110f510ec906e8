import { type Observable, ReplaySubject } from 'rxjs'
import type { Plan, PlannedNode } from './plan'
import { type NodeReport, type NodeState, PROGRESS_LEVELS, type Progress, type ProgressLevel } from './types'

interface Mutable extends NodeReport {
  state: NodeState
  tasks: number
  completed: number
  failures: { batchIndex?: number; error: string }[]
  cached: boolean
  started?: number
  ended?: number
}

/** What a run knows and tells of itself. */
export class RunLog {
  readonly reports: Record<string, Mutable> = {}
  private readonly subject = new ReplaySubject<Progress>(1)
  private readonly least: number

  constructor(
    private readonly plan: Plan,
    private readonly jobId: string,
  ) {
    this.least = PROGRESS_LEVELS.indexOf(plan.settings.level)
    for (const { name, algorithm } of plan.nodes) {
      this.reports[name] = {
        nodeName: name,
        ...(algorithm === undefined ? {} : { algorithmName: algorithm.name }),
        state: 'waiting',
        tasks: 1,
        completed: 0,
        failures: [],
        cached: false,
      }
    }
  }

  get progress(): Observable<Progress> {
    return this.subject.asObservable()
  }

  begun(node: PlannedNode, tasks: number): void {
    const report = this.reports[node.name]!
    Object.assign(report, { state: 'running', tasks, started: Date.now() })
    this.tell('info', `node '${node.name}' has begun${node.fansOut ? `: ${tasks} tasks` : ''}`, node.name)
  }

  taskDone(node: PlannedNode, batchIndex: number | undefined): void {
    this.reports[node.name]!.completed++
    this.tell('debug', `node '${node.name}': a task is done`, node.name, batchIndex)
  }

  taskFailed(node: PlannedNode, batchIndex: number | undefined, error: unknown, tolerated: boolean): void {
    const text = error instanceof Error ? error.message : String(error)
    const index = batchIndex === undefined ? {} : { batchIndex }
    this.reports[node.name]!.failures.push({ ...index, error: text })
    if (tolerated) this.tell('warn', `node '${node.name}': a task failed: ${text}`, node.name, batchIndex)
  }

  completed(node: PlannedNode, cached: boolean): void {
    const report = this.reports[node.name]!
    Object.assign(report, { state: 'completed', cached, ended: Date.now() })
    report.started ??= report.ended!
    if (cached) report.completed = report.tasks
    this.tell('info', `node '${node.name}' ${cached ? 'has its result from the store' : 'is done'}`, node.name)
  }

  /** A node that gave no result. */
  stopped(node: PlannedNode, state: 'failed' | 'cancelled'): void {
    const report = this.reports[node.name]!
    if (report.state !== 'waiting' && report.state !== 'running') return
    report.state = state
    report.ended = Date.now()
  }

  tell(level: ProgressLevel, details: string, nodeName?: string, batchIndex?: number): void {
    if (PROGRESS_LEVELS.indexOf(level) < this.least) return
    this.subject.next({
      level,
      time: Date.now(),
      jobId: this.jobId,
      pipelineName: this.plan.name,
      percent: this.percent(),
      details,
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(batchIndex === undefined ? {} : { batchIndex }),
    })
  }

  end(): void {
    this.subject.complete()
  }

  private percent(): number {
    const parts = Object.values(this.reports).map(({ state, tasks, completed, failures }) =>
      state === 'completed' ? 1 : tasks === 0 ? 0 : (completed + failures.length) / tasks,
    )
    const share = parts.reduce((sum, part) => sum + part, 0) / parts.length
    return Math.round(share * 1000) / 10
  }
}
