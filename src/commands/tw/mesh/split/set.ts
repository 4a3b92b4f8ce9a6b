import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../../cli/command.ts'
import { MusterError } from '../../../../core/kernel/errors.ts'

const operation = remote('tw.mesh.split.set', async () => (await import('../../../../core/tw/operations.ts')).meshSplitSet)
const show = remote('tw.mesh.show', async () => (await import('../../../../core/tw/operations.ts')).meshShow)

export default class TwMeshSplitSet extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Divide the traffic of a service between versions, in parts per million; without shares, take the split away.'
  static override description =
    'The version with the smaller share is the new one: it takes the lowest buckets of users, so raising its share keeps everybody who is in. A rollout in flight sets its own split.'
  static override strict = false
  static override args = { service: Args.string({ description: 'the service, then shares like v7=990000 v8=10000', required: true }) }
  static override flags = {
    sticky: Flags.string({ description: 'what identifies a user', helpValue: 'header:NAME|cookie:NAME' }),
    salt: Flags.string({ description: 'another salt, another set of users', default: 'by-hand' }),
    reason: Flags.string({ description: 'why, for the log', default: 'set by a person' }),
  }
  static override examples = [
    '<%= config.bin %> tw mesh split set web v7=990000 v8=10000 --sticky header:x-user',
    '<%= config.bin %> tw mesh split set web',
  ]

  async input({ args, flags, argv }: Parsed<typeof TwMeshSplitSet>): Promise<InputOf<typeof operation>> {
    const service = args.service ?? ''
    const shares = Object.fromEntries(argv.filter((word) => word !== service).map(shareOf))
    const newest = Object.entries(shares).sort(([, a], [, b]) => a - b)[0]?.[0]
    const arms = Object.fromEntries(
      Object.keys(shares).map((subset) => [subset, subset === newest && Object.keys(shares).length > 1 ? 'canary' : 'primary']),
    )
    const { data } = await this.call(show, { service })
    return {
      service,
      shares,
      arms,
      salt: flags.salt ?? 'by-hand',
      sticky: flags.sticky ?? null,
      epoch: (data.split?.epoch ?? 0) + 1,
      reason: flags.reason ?? '',
    }
  }

  render(data: OutputOf<typeof operation>, _view: View): string {
    return `The split of ${data.service} is set (epoch ${data.epoch}).`
  }
}

function shareOf(word: string): [string, number] {
  const match = /^([A-Za-z0-9._-]+)=(\d+)$/.exec(word)
  if (match?.[1] === undefined) throw new MusterError('MESH_SPEC_INVALID', `"${word}" is not of the form VERSION=PARTS, like v8=10000`)
  return [match[1], Number(match[2])]
}
