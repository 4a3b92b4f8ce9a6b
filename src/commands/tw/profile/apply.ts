import { Args, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { count } from '../../../cli/render/text.ts'
import { renderProfile, type ProfileView } from '../../../cli/render/tw-profiles.ts'
import { WaitingCommand, type Waiting } from '../../../cli/waiting-command.ts'

const operation = remote('tw.profile.apply', async () => (await import('../../../core/tw/operations.ts')).profileApply)

export default class TwProfileApply extends WaitingCommand<typeof operation, ProfileView> {
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

  waiting({ profile }: OutputOf<typeof operation>): Waiting<ProfileView> {
    return {
      ask: { operation: 'tw.profile.show', input: { profile } },
      isOver: ({ counts }) => counts.underWay + counts.waiting === 0,
      isBad: ({ counts }) => counts.failed + counts.held > 0,
      render: (data, view) => renderProfile(view, data),
      late: { message: `nodes are still being put into ${profile}`, hint: `Look with \`muster tw profile show ${profile}\`.` },
    }
  }
}
