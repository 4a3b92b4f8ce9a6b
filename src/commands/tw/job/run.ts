import { Args, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { nextText, type JobShown } from '../../../cli/render/tw-jobs.ts'
import { renderJobPlan, type JobPlan } from '../../../cli/render/tw-job-plan.ts'
import { count } from '../../../cli/render/text.ts'
import { JobCommand } from '../../../cli/job-command.ts'

const operation = remote('tw.job.run', async () => (await import('../../../core/tw/operations.ts')).jobRun)

export default class TwJobRun extends JobCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Run a job, or replace the running version of it task by task.'
  static override args = { file: Args.string({ description: 'the job file, - for standard input', required: true }) }
  static override flags = {
    set: Flags.string({ description: 'lay a value over the file', multiple: true, helpValue: 'PATH=VALUE' }),
    'take-over': Flags.boolean({ description: 'although a rollout owns the job' }),
    node: Flags.string({ description: 'with --plan: what this node is given, and if nothing, why', helpValue: 'NAME' }),
    'exit-code': Flags.boolean({ description: 'with --plan: exit 7 when a task would have no place' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw job run job.yaml --wait',
    '<%= config.bin %> tw job run job.yaml --plan',
    '<%= config.bin %> tw job run job.yaml --plan --node n2',
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

  awaited(data: OutputOf<typeof operation>): OutputOf<typeof operation> {
    return data
  }

  override async run(): Promise<void> {
    const parsed = await this.start(TwJobRun)
    const { flags } = parsed
    const timeoutMs = this.waitMs(flags)
    const input = await this.input(parsed)
    let picture: string | null = null
    if ((flags as { plan?: boolean }).plan) {
      const { data } = await this.client.call<JobPlan>('tw.job.plan', defined({ spec: input.spec, node: flags.node }))
      picture = renderJobPlan(this.view, data)
      if (flags['exit-code'] && data.groups.some((group) => group.unplaced > 0)) process.exitCode = 7
    }
    const done = await this.change(operation, input, flags as never, picture)
    if (done === null) return
    const clock = (input.spec as { periodic?: unknown }).periodic === undefined ? null : await this.nextRuns(done.data.job)
    const reached = timeoutMs !== null && clock === null ? await this.waitForJob(done.data, timeoutMs) : null
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
}
