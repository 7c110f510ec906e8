import { RxjsPythonError } from './base'

/**
 * A job cannot do what it was asked for: `ERR_JOB_STATE` (not in the state that the job is in), `ERR_JOB_RUNNING` (another
 * process runs it), `ERR_JOB_RECOVERY` (what was saved does not fit the pipeline), `ERR_JOB_SAVE` (what an operator keeps
 * cannot be saved), `ERR_JOB_SINK` (the sink is not as the last checkpoint left it).
 */
export class JobError extends RxjsPythonError {
  constructor(
    code: 'ERR_JOB_STATE' | 'ERR_JOB_RUNNING' | 'ERR_JOB_RECOVERY' | 'ERR_JOB_SAVE' | 'ERR_JOB_SINK',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/**
 * What was asked of a job node cannot be done: `ERR_JOB_NODE_ABSENT` (no node listens there), `ERR_JOB_NODE_RUNNING` (one does already),
 * `ERR_JOB_NODE_FOLDER` (its folder is not only its user's, or its socket's path is too long), `ERR_JOB_NODE_FULL` (it takes no
 * further job), `ERR_JOB_NODE_JOB` (no such job, or one of that name is there), `ERR_JOB_NODE_START` (the job failed as it started),
 * `ERR_JOB_NODE_REQUEST` (a request that the node does not understand, or an answer that did not come).
 */
export class JobNodeError extends RxjsPythonError {
  constructor(
    code: `ERR_JOB_NODE_${'ABSENT' | 'RUNNING' | 'FOLDER' | 'FULL' | 'JOB' | 'START' | 'REQUEST'}`,
    message: string,
  ) {
    super(code, message)
  }
}
