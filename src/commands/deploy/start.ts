import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { eventText } from '../../cli/render/deploy-watch.ts'
import { renderRollout, stateText } from '../../cli/render/deploy.ts'

const operation = remote('deploy.start', async () => (await import('../../core/deploy/operations.ts')).deployStart)

export default class DeployStart extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Roll a new release of a service out, step by step, judged against the old one.'
  static override description =
    'A directory becomes a reproducible tarball, an archive is taken as it is, a job file replaces the whole job document; web-r3 names an earlier release. Exits 1 with --wait when the rollout does not succeed.'
  static override args = { service: Args.string({ description: 'the service', required: true }) }
  static override flags = {
    release: Flags.string({ description: 'directory, archive, job file or earlier release', required: true, helpValue: 'PATH|RELEASE' }),
    profile: Flags.string({
      description: 'how it goes: a built-in profile or a file; see `deploy profiles`',
      default: 'standard',
      helpValue: 'NAME|FILE',
    }),
    sticky: Flags.string({ description: 'what identifies a user; without it each request counts', helpValue: 'header:NAME|cookie:NAME' }),
    supersede: Flags.boolean({ description: 'send a rollout in flight home first' }),
    wait: Flags.boolean({ description: 'wait for its end' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> deploy start web --release ./dist-v2 --yes',
    '<%= config.bin %> deploy start web --release ./dist-v2.tar.gz --profile small --plan',
    '<%= config.bin %> deploy start web --release web-r3 --yes --wait',
  ]

  async input({ args, flags }: Parsed<typeof DeployStart>): Promise<InputOf<typeof operation>> {
    const [{ releaseSource }, { profileFlag }] = await Promise.all([
      import('../../cli/files/release-source.ts'),
      import('../../cli/files/profile-file.ts'),
    ])
    const profile = profileFlag(flags.profile ?? 'standard')
    return {
      service: args.service ?? '',
      source: await releaseSource(this.client, flags.release ?? ''),
      profile,
      sticky: flags.sticky ?? null,
      onNew: flags.supersede ? 'supersede' : 'reject',
      reason: flags.reason ?? '',
    }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRollout(data, view)
  }

  override async run(): Promise<void> {
    const parsed = await this.start(DeployStart)
    const done = await this.change(operation, await this.input(parsed), parsed.flags as never)
    if (done === null) return
    if (!parsed.flags.wait) {
      await this.answer(this.dottedId, done.data, renderRollout, done.warnings)
      return
    }
    const end = await this.follow(done.data.rollout)
    if (end === null) return
    await this.answer(
      this.dottedId,
      end,
      (data, view) => `${data.rollout} ${data.service}: ${stateText(view, data)}${data.causeText ? `, ${data.causeText}` : ''}`,
      done.warnings,
    )
    process.exitCode = end.state === 'succeeded' ? 0 : 1
  }

  /** Says each event on stderr; gives the ended rollout, or null when interrupted. */
  private async follow(rollout: string): Promise<OutputOf<typeof operation> | null> {
    const { followRollout } = await import('../../cli/follow/rollout.ts')
    let seen = 0
    for await (const view of followRollout(this.client, rollout, this.interrupted())) {
      for (const event of view.events.filter((one) => one.position > seen)) this.note(`  ${eventText(event)}`)
      seen = view.events.at(-1)?.position ?? seen
      if (view.rollout.endedAtMs !== null) return view.rollout
    }
    return null
  }
}
