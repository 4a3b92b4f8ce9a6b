import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { eventText, renderWatch } from '../../cli/render/deploy-watch.ts'
import { theRollout } from '../../cli/the-rollout.ts'

export default class DeployWatch extends MusterCommand {
  static override summary = 'Watch a rollout: steps, split, canary against control with its evidence, time left.'
  static override description =
    'A screen on a terminal; elsewhere plain lines, or with --json JSON Lines (`snapshot`, `result`). Ends with the rollout; exits 1 when it did not succeed.'
  static override args = { rollout: Args.string({ description: 'the rollout, or its service; without it, the one in flight' }) }
  static override flags = {
    plain: Flags.boolean({ description: 'plain lines also on a terminal' }),
    'read-only': Flags.boolean({ description: 'no keys that change anything' }),
  }
  static override examples = ['<%= config.bin %> deploy watch web', '<%= config.bin %> deploy watch r57 --json']

  async run(): Promise<void> {
    const { args, flags } = await this.start(DeployWatch)
    const signal = this.interrupted()
    const rollout = args.rollout ?? (await theRollout((ref, asked) => this.call(ref, asked), null))
    if (this.isScreen && !flags.plain) {
      const { openDeployWatch } = await import('../../tui/deploy-watch/open.tsx')
      const end = await openDeployWatch({ client: this.client, rollout, view: this.view, isReadOnly: flags['read-only'] ?? false, signal })
      // The other screen is gone: what was last seen stays on this one.
      if (end) this.print(renderWatch(end, this.view))
      if (end && end.rollout.endedAtMs !== null && end.rollout.state !== 'succeeded') process.exitCode ??= 1
      return
    }
    const { followRollout } = await import('../../cli/follow/rollout.ts')
    let seen = 0
    let last = null
    for await (const view of followRollout(this.client, rollout, signal)) {
      if (this.isMachine) this.print(JSON.stringify({ type: 'snapshot', data: view }))
      else if (last === null) this.print(renderWatch(view, this.view))
      for (const event of view.events.filter((one) => one.position > seen)) if (!this.isMachine) this.print(eventText(event))
      seen = view.events.at(-1)?.position ?? seen
      last = view
    }
    if (last === null || last.rollout.endedAtMs === null) return
    this.print(this.isMachine ? JSON.stringify({ type: 'result', data: last }) : renderWatch(last, this.view))
    process.exitCode = last.rollout.state === 'succeeded' ? 0 : 1
  }
}
