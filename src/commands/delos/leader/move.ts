import { Flags, remote } from '../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS, storeOptions, type StoreFlags } from '../../../cli/flags/store.ts'
import type { FleetMemberRow } from '../../../cli/render/delos-chain.ts'
import { renderLeaderMove, type LeaderMove as Moved } from '../../../cli/render/delos-store.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const prefer = remote('delos.leader.prefer', async () => (await import('../../../core/delos/operations.ts')).leaderPrefer)

export default class LeaderMove extends StoreCommand {
  static override summary = 'Have another server lead, and say how long nobody answered.'
  static override description =
    'The gap is measured: linearizable reads are asked for all the while, and it is the longest time between two that were answered. ' +
    'With --prefer a wish stays: whenever the server that leads this context is of another region, and one of that region is reached and has caught up, it hands over, at most once a minute.'
  static override flags = {
    to: Flags.string({ description: 'name or id of the server that shall lead', helpValue: 'NAME', exactlyOne: ['to', 'prefer'] }),
    prefer: Flags.string({
      description: 'where the leader of this context shall be from now on; none: anywhere',
      helpValue: 'region=NAME',
    }),
    ...STORE_CHANGE_FLAGS,
    ...SERVERS_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos leader move --to b',
    '<%= config.bin %> delos leader move --to b --plan',
    '<%= config.bin %> delos leader move --prefer region=eu',
    '<%= config.bin %> delos leader move --prefer none',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(LeaderMove)
    if (flags.prefer !== undefined) return this.prefer(flags.prefer, flags)
    return this.move({ ...flags, to: flags.to ?? '' })
  }

  private async prefer(wish: string, flags: StoreFlags & { plan: boolean; yes: boolean }): Promise<void> {
    const region = regionOf(wish)
    if (!this.isOfContext(flags))
      throw new MusterError('USAGE', '--prefer is kept for servers of `muster up`; those of `muster delos serve` have no such wish', {
        hint: 'Hand over once with `muster delos leader move --to NAME`; `muster delos member ls` names the servers and their regions.',
      })
    const text = region === null ? 'Any server may lead.' : `A server in ${region} leads whenever one is reached and has caught up.`
    if (!(await this.isAgreed({ text, danger: 'low' }, flags))) return
    const operator = await this.operator(flags, 'control')
    const { members } = await operator.ask<{ members: FleetMemberRow[] }>('member/list', {})
    const isThere = region === null || members.some((member) => member.region === region)
    const warnings = isThere ? [] : [`no server says that it is in ${region}; start them with \`muster up --region ${region}\``]
    const { data } = await this.call(prefer, { region })
    await this.answer('delos.leader.prefer', data, () => text, warnings)
  }

  private async move(flags: StoreFlags & { to: string; plan: boolean; yes: boolean }): Promise<void> {
    if (this.isOfContext(flags)) {
      if (!(await this.isAgreed({ text: `${flags.to} leads the fleet.`, danger: 'low' }, flags))) return
      const operator = await this.operator(flags, 'control')
      return this.answer(this.dottedId, await operator.ask<Moved>('leader/move', { to: flags.to }), renderLeaderMove)
    }
    const { moveLeader, moveOf } = await import('../../../cli/delos/leader.ts')
    const options = storeOptions(flags)
    const move = await moveOf(options, flags.to)
    const isThere = move.from.id === move.to.id
    const text = isThere ? `${move.to.name} leads already.` : `${move.to.name} leads instead of ${move.from.name}.`
    if (!(await this.isAgreed({ text, danger: 'low' }, flags))) return
    const data = isThere ? { from: move.from.name, to: move.to.name, term: move.from.term, gapMs: 0 } : await moveLeader(options, move)
    await this.answer(this.dottedId, data, renderLeaderMove)
  }
}

/** Of `region=NAME`; null: of `none`. Throws USAGE. */
function regionOf(wish: string): string | null {
  if (wish === 'none') return null
  const region = /^region=([A-Za-z0-9][\w.-]{0,62})$/.exec(wish)?.[1]
  if (region === undefined) throw new MusterError('USAGE', `--prefer wants region=NAME, or none, not "${wish}"`)
  return region
}
