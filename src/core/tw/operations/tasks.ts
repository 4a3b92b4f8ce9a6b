import { z } from 'zod'
import { defineAction, defineCommand } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, type MusterError, refuse } from '../../kernel/errors.ts'
import { opWithdrawn } from '../entries/ops.ts'
import { stopTask } from '../entries/tasks.ts'
import { openOpOf } from '../ops/op-row.ts'
import { proposeStop } from '../ops/propose-stop.ts'
import { taskName, type TaskRow } from '../rows.ts'
import { findTask } from '../views/tasks.ts'

function livingTask(db: ReadDb, target: string): TaskRow | MusterError {
  const task = findTask(db, target)
  if (!task) return refuse('TW_TASK_UNKNOWN', `there is no task ${target}; a task is named like web/api[3]`)
  return task.is_terminal ? refuse('TW_JOB_STATE', `the task ${taskName(task)} has ended: ${task.state}`) : task
}

const taskAnswer = z.object({ task: z.string(), id: z.int(), isChanged: z.boolean() })

export const taskStop = defineCommand({
  name: 'tw.task.stop',
  summary: 'Stop one task; its group replaces it.',
  danger: 'medium',
  input: z.object({ task: z.string(), reason: z.string().default('') }),
  output: taskAnswer,
  decide: (db, input) => {
    const task = livingTask(db, input.task)
    if (isRefusal(task)) return task
    const isChanged = task.want === 'run'
    return {
      entries: isChanged ? [stopTask.of({ ids: [task.id], cause: input.reason || 'stopped by hand' })] : [],
      reply: () => ({ task: taskName(task), id: task.id, isChanged }),
    }
  },
})

export const taskRestart = defineCommand({
  name: 'tw.task.restart',
  summary: 'Start a task again in its place, when the budget of its group has it and its application agrees.',
  danger: 'medium',
  input: z.object({ task: z.string(), reason: z.string().default('') }),
  output: taskAnswer,
  decide: (db, input) => {
    const task = livingTask(db, input.task)
    if (isRefusal(task)) return task
    if (task.want === 'stop') return refuse('TW_JOB_STATE', `the task ${taskName(task)} is stopping`)
    const op = openOpOf(db, task.id)
    if (op?.state === 'allowed') return refuse('TW_JOB_STATE', `op ${op.id} on ${taskName(task)} is not over yet: ${op.kind}, ${op.text}`)
    // What only waits comes again after the restart, if it is still wanted.
    const before = op ? [opWithdrawn.of({ job: task.job, group: task.grp, ops: [op.id], why: 'restarted by hand first' })] : []
    return {
      entries: [...before, proposeStop(task, 'restart', 'operator', input.reason || 'restarted by hand')],
      reply: () => ({ task: taskName(task), id: task.id, isChanged: true }),
    }
  },
})

export const taskSignal = defineAction({
  name: 'tw.task.signal',
  summary: 'Send a signal to the main process of a task.',
  isMutation: true,
  input: z.object({ task: z.string(), signal: z.string().regex(/^SIG[A-Z0-9]+$/, 'a signal is written like SIGHUP') }),
  output: z.object({ task: z.string(), node: z.string() }),
})

export const taskExec = defineAction({
  name: 'tw.task.exec',
  summary: 'Say how a command is run inside a task: the words before it, environment and folder.',
  isMutation: true,
  input: z.object({ task: z.string() }),
  output: z.object({
    argv: z.array(z.string()),
    env: z.record(z.string(), z.string()),
    cwd: z.string(),
    /** whether the task is on the machine of the server that was asked; else the command is run through it */
    isHere: z.boolean(),
  }),
})
