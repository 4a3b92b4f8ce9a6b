import { Args, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderArms } from '../../../cli/render/tw-jobs.ts'
import { renderChangePlan, type ChangePlan } from '../../../cli/render/tw-job-plan.ts'
import { JobCommand } from '../../../cli/job-command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('tw.job.scale', async () => (await import('../../../core/tw/operations.ts')).jobScale)

export default class TwJobScale extends JobCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Change the number of tasks of a group.'
  static override args = {
    job: Args.string({ description: 'JOB, or JOB/GROUP where the job has several', required: true }),
    count: Args.integer({ description: 'how many tasks', required: true, min: 0 }),
  }
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw job scale web 8 --wait', '<%= config.bin %> tw job scale shop/api 3 --plan']

  input({ args, flags }: Parsed<typeof TwJobScale>): InputOf<typeof operation> {
    const [job, group, ...rest] = (args.job ?? '').split('/')
    if (!job || rest.length > 0) throw new MusterError('USAGE', `"${args.job}" is not JOB or JOB/GROUP`)
    return defined({ job, group, count: args.count ?? 0, reason: flags.reason ?? '' })
  }

  protected override async picture(input: InputOf<typeof operation>): Promise<string> {
    return renderChangePlan(this.view, (await this.client.call<ChangePlan>('tw.job.scale.plan', input)).data)
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderArms(view, data)
  }

  /** The version whose tasks were counted anew. */
  awaited({ job, groups, currentVersion }: OutputOf<typeof operation>): { job: string; version: number } {
    return { job, version: groups[0]?.arms[0]?.version ?? currentVersion }
  }
}
