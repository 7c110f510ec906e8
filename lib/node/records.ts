import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProcessMark } from './processes'

/** What a node knows of a job when it starts again. */
export interface JobRecord {
  readonly name: string
  /** The module, and what it was submitted with. */
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  /** Milliseconds since 1970. */
  readonly submitted: number
  /** What its user wants it to be, whatever it is just now. */
  wanted: 'running' | 'suspended'
  /** How it ended, and with `failed` why. */
  ended?: { readonly state: 'completed' | 'failed'; readonly why?: string }
  /** The process that runs it, so that a next node does not leave it running beside its own. */
  worker?: ProcessMark
}

/** The records of a node's jobs: `FOLDER/jobs/NAME/job.json`. What belongs to a job is in its folder. */
export class JobRecords {
  constructor(private readonly folder: string) {}

  folderOf(name: string): string {
    return join(this.folder, 'jobs', name)
  }

  async all(): Promise<JobRecord[]> {
    const names = await readdir(join(this.folder, 'jobs')).catch(() => [] as string[])
    const records: JobRecord[] = []
    for (const name of names.sort()) {
      const text = await readFile(join(this.folderOf(name), 'job.json'), 'utf8').catch(() => undefined)
      if (text !== undefined) records.push(JSON.parse(text) as JobRecord)
    }
    return records.sort((a, b) => a.submitted - b.submitted)
  }

  /** Resolves when the record is on the disk: a node that is killed has either the old one or this one. */
  async save(record: JobRecord): Promise<void> {
    const folder = this.folderOf(record.name)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const draft = join(folder, 'job.json.draft')
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(JSON.stringify(record))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, join(folder, 'job.json'))
  }

  /** Forgets a job; with `keep` its checkpoints stay for the next one of that name. */
  async remove(name: string, keep: boolean): Promise<void> {
    const path = this.folderOf(name)
    await rm(keep ? join(path, 'job.json') : path, { recursive: true, force: true })
  }
}
