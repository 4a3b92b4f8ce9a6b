import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { count } from '../../../cli/render/text.ts'
import { renderProfile, type ProfileView } from '../../../cli/render/tw-profiles.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('tw.profile.apply', async () => (await import('../../../core/tw/operations.ts')).profileApply)

export default class TwProfileApply extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put nodes into a host profile, at most 2 % of all at once.'
  static override description =
    'Each is closed meanwhile, and drained first when the profile says so, within the budgets of what runs there. What differs is written and read back; ' +
    'where something does not read as written the old values come back, the node stays cordoned, and no further node is taken. ' +
    'An agent without root, or where /proc/sys is read-only, only compares.'
  static override args = { profile: Args.string({ description: 'the profile', required: true }) }
  static override flags = {
    to: Flags.string({ description: 'NODE, rack:NAME, zone:NAME, region:NAME or label:KEY=VALUE', required: true, helpValue: 'TARGET' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
    wait: Flags.boolean({ description: 'wait until no node of the profile is under way; exit 1 when one failed' }),
    timeout: Flags.string({ description: 'how long --wait waits', default: '30m' }),
  }
  static override examples = [
    '<%= config.bin %> tw profile apply latency --to rack:r7 --yes --wait',
    '<%= config.bin %> tw profile apply latency --to n1 --plan',
  ]

  input({ args, flags }: Parsed<typeof TwProfileApply>): InputOf<typeof operation> {
    return { profile: args.profile ?? '', target: flags.to ?? '', reason: flags.reason ?? '' }
  }

  render({ profile, version, nodes, already }: OutputOf<typeof operation>): string {
    const rest = already.length === 0 ? '' : `; ${already.length} as it says already`
    return `${count(nodes.length, 'node')} to be put into ${profile} v${version}${rest}`
  }

  override async run(): Promise<void> {
    const parsed = await this.start(TwProfileApply)
    const { flags } = parsed
    const timeoutMs = durationFlag('timeout', flags.timeout ?? '30m')
    const done = await this.change(operation, this.input(parsed), flags as never)
    if (done === null) return
    if (!flags.wait) return this.answer(operation.name, done.data, (data) => this.render(data), done.warnings)
    const { waitUntil } = await import('../../../cli/follow/tasks.ts')
    const signal = this.interrupted()
    const ask = () => this.client.call<ProfileView>('tw.profile.show', { profile: done.data.profile })
    const isOver = ({ counts }: ProfileView): boolean => counts.underWay + counts.waiting === 0
    const end = await waitUntil(this.client, ask, isOver, { timeoutMs, signal })
    if (signal.aborted) return
    if (!end.isDone)
      throw new MusterError('WAIT_OVER', `nodes are still being put into ${done.data.profile}`, {
        hint: `Look with \`muster tw profile show ${done.data.profile}\`.`,
      })
    await this.answer('tw.profile.show', end.data, (data, view) => renderProfile(view, data))
    if (end.data.counts.failed + end.data.counts.held > 0) process.exitCode = 1
  }
}
