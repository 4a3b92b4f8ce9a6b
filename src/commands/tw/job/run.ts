import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { nextText, type JobShown } from '../../../cli/render/tw-jobs.ts'
import { renderJobPlan, type JobPlan } from '../../../cli/render/tw-job-plan.ts'
import { count } from '../../../cli/render/text.ts'
import { tasksText } from '../../../cli/render/tw-words.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('tw.job.run', async () => (await import('../../../core/tw/operations.ts')).jobRun)

export default class TwJobRun extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Run a job, or replace the running version of it task by task.'
  static override args = { file: Args.string({ description: 'the job file, - for standard input', required: true }) }
  static override flags = {
    set: Flags.string({ description: 'lay a value over the file', multiple: true, helpValue: 'PATH=VALUE' }),
    wait: Flags.boolean({ description: 'wait until every task is healthy and no old one is left; a batch job: until it is complete' }),
    timeout: Flags.string({ description: 'how long --wait waits', default: '10m' }),
    'take-over': Flags.boolean({ description: 'although a rollout owns the job' }),
    'exit-code': Flags.boolean({ description: 'with --plan: exit 7 when a task would have no place' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw job run job.yaml --wait',
    '<%= config.bin %> tw job run job.yaml --plan',
    '<%= config.bin %> tw job run job.yaml --set groups.api.count=8',
    'cat job.yaml | <%= config.bin %> tw job run -',
  ]

  async input({ args, flags }: Parsed<typeof TwJobRun>): Promise<InputOf<typeof operation>> {
    const { loadJobFile } = await import('../../../cli/files/job-file.ts')
    const { document } = loadJobFile(args.file ?? '-', flags.set ?? [])
    // A plan names the nodes, and its application takes exactly these or nothing.
    const { plan, apply } = flags as { plan?: boolean; apply?: string }
    const isPlaced = plan === true || apply !== undefined
    return { spec: document, takeOver: flags['take-over'] ?? false, reason: flags.reason ?? '', isPlaced }
  }

  render(data: OutputOf<typeof operation>, _view: View): string {
    const tasks = data.groups.reduce((sum, group) => sum + group.count, 0)
    return data.isChanged
      ? `${data.job} version ${data.version}: ${count(tasks, 'task')} wanted`
      : `${data.job} runs exactly so already, as version ${data.version}`
  }

  override async run(): Promise<void> {
    const parsed = await this.start(TwJobRun)
    const { flags } = parsed
    const timeoutMs = durationFlag('timeout', flags.timeout ?? '10m')
    const input = await this.input(parsed)
    let picture: string | null = null
    if ((flags as { plan?: boolean }).plan) {
      const { data } = await this.client.call<JobPlan>('tw.job.plan', { spec: input.spec })
      picture = renderJobPlan(this.view, data)
      if (flags['exit-code'] && data.groups.some((group) => group.unplaced > 0)) process.exitCode = 7
    }
    const done = await this.change(operation, input, flags as never, picture)
    if (done === null) return
    const clock = (input.spec as { periodic?: unknown }).periodic === undefined ? null : await this.nextRuns(done.data.job)
    const reached = flags.wait && clock === null ? await this.waitForJob(done.data, timeoutMs) : null
    await this.answer(
      operation.name,
      done.data,
      (data, view) => {
        if (clock !== null) return [`${data.job} version ${data.version} runs by the clock`, ...clock].join('\n')
        return reached === null ? this.render(data, view) : `${data.job} version ${data.version} is ${reached}`
      },
      done.warnings,
    )
  }

  /** A line on when the clock starts a job next, or why it does not. */
  private async nextRuns(job: string): Promise<string[]> {
    const { recurring } = (await this.client.call<JobShown>('tw.job.show', { job })).data
    if (recurring === null) return []
    return [...(recurring.nextMs.length > 0 ? [nextText(recurring.nextMs)] : []), ...(recurring.note === null ? [] : [recurring.note])]
  }

  /** Gives what it has become when it is as wanted; null when the wait was broken off. */
  private async waitForJob(run: OutputOf<typeof operation>, timeoutMs: number): Promise<'up' | 'complete' | null> {
    const { waitUntil } = await import('../../../cli/follow/tasks.ts')
    let said = ''
    const ask = () => this.client.call<JobShown>('tw.job.show', { job: run.job })
    const signal = this.interrupted()
    const end = await waitUntil(this.client, ask, ({ status }) => isUp(run, status), {
      timeoutMs,
      signal,
      onChange: ({ status, blocked }) => {
        const text = [standing(status), ...blocked.slice(0, 1).map(({ why }) => why)].join(', ')
        if (text !== said && !this.isMachine) this.note(`  ${text}`)
        said = text
      },
    })
    if (signal.aborted) return null
    if (end.isDone) return isBatch(end.data.status) ? 'complete' : 'up'
    const [blocked] = end.data.blocked
    if (blocked)
      throw new MusterError(
        'WAIT_OVER',
        `${run.job} version ${run.version} was accepted, but ${tasksText(blocked.tasks)} ${blocked.tasks.length === 1 ? 'has' : 'have'} no place: ${blocked.why} (${blocked.code})`,
        { hint: `They start as soon as there is one. Ask why with \`muster tw explain ${run.job}\`.`, details: { code: blocked.code } },
      )
    throw new MusterError(
      'WAIT_OVER',
      `${run.job} version ${run.version} was accepted, but is not up after ${flagsText(timeoutMs)}: ${said}`,
      { hint: `Ask why with \`muster tw explain ${run.job}\`.` },
    )
  }
}

type Status = JobShown['status']

const isBatch = ({ kind }: Status): boolean => kind === 'batch' || kind === 'sysbatch'

/** Every task serves and no old one is left; of a batch job: every task has run to its end. */
function isUp(run: { version: number }, status: Status): boolean {
  return status.groups.every(
    (group) =>
      group.leftover === 0 &&
      group.arms.every((arm) => (arm.version === run.version ? arm.complete : 0) + (isBatch(status) ? 0 : arm.healthy) >= arm.wanted),
  )
}

/** `3 of 8 healthy`, `3 of 8 complete`. */
function standing(status: Status): string {
  const arms = status.groups.flatMap((group) => group.arms)
  const reached = arms.reduce((sum, arm) => sum + Math.min(isBatch(status) ? arm.complete : arm.healthy, arm.wanted), 0)
  return `${reached} of ${arms.reduce((sum, arm) => sum + arm.wanted, 0)} ${isBatch(status) ? 'complete' : 'healthy'}`
}

function flagsText(ms: number): string {
  return ms >= 60_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 1000)} s`
}
