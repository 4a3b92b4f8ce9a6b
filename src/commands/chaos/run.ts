import { setTimeout as sleep } from 'node:timers/promises'
import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderPlan, renderRun, type ReportView } from '../../cli/render/chaos.ts'

const operation = remote('chaos.run.start', async () => (await import('../../core/chaos/operations.ts')).runStart)
const plan = remote('chaos.run.plan', async () => (await import('../../core/chaos/operations.ts')).runPlan)

/** Exit codes of `--wait` by verdict (chaos, What an engineer can do). */
const EXIT_BY_VERDICT: Record<string, number> = { held: 0, deviated: 1, inconclusive: 8, 'not-run': 5 }
const POLL_MS = 300

export default class ChaosRun extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Run an experiment: watch the baseline, break what it says, undo it, judge.'
  static override description =
    'Refused while a gate is shut (4, 5) or when its blast radius is over its cap (5). With --wait it exits 0 when the hypothesis held, 1 when it deviated, 8 when nothing was proven, 5 when it did not run. Ctrl-C undoes and waits; a second one only stops the waiting.'
  static override args = { experiment: Args.file({ description: 'experiment file, YAML or JSON', required: true }) }
  static override flags = {
    wait: Flags.boolean({ description: 'follow it to its verdict' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> chaos run templates/experiments/kill-tasks.yaml --plan',
    '<%= config.bin %> chaos run templates/experiments/kill-tasks.yaml --yes --wait',
  ]

  async input({ args, flags }: Parsed<typeof ChaosRun>): Promise<InputOf<typeof operation>> {
    const { readExperimentFile } = await import('../../cli/files/experiment-file.ts')
    return { experiment: readExperimentFile(args.experiment ?? ''), reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderRun(view, data)
  }

  override async run(): Promise<void> {
    const parsed = await this.start(ChaosRun)
    const input = await this.input(parsed)
    const flags = parsed.flags as typeof parsed.flags & {
      plan: boolean
      apply: string | undefined
      yes: boolean
      confirm: string | undefined
    }
    if (flags.plan) {
      const { data, warnings } = await this.call(plan, { experiment: input.experiment })
      await this.answer('chaos.plan', data, (value, view) => renderPlan(view, value), warnings)
      return
    }
    if (!flags.wait) {
      const done = await this.change(operation, input, flags)
      if (done !== null) await this.answer(this.dottedId, done.data, (data, view) => this.render(data, view), done.warnings)
      return
    }
    const interrupt = countInterrupts(() => this.note('  undoing; press Ctrl-C again to stop waiting'))
    try {
      const done = await this.change(operation, input, flags)
      if (done === null) return
      const end = await this.follow(done.data.run, interrupt.count)
      await this.answer(this.dottedId, end, (data, view) => renderRun(view, data), done.warnings)
      process.exitCode = interrupt.count() > 0 ? 130 : (EXIT_BY_VERDICT[end.verdict ?? ''] ?? 8)
    } finally {
      interrupt.stop()
    }
  }

  /** Says each event on stderr until the run is closed; Ctrl-C breaks the run off and goes on waiting for its undo. */
  private async follow(run: string, interrupts: () => number): Promise<ReportView> {
    let seen = 0
    let isStopped = false
    for (;;) {
      if (interrupts() > 0 && !isStopped) {
        isStopped = true
        await this.client
          .call('chaos.run.stop', { run, reason: 'interrupted by a person' })
          .catch((error: unknown) => this.note(`  ${(error as Error).message}`))
      }
      const { data } = await this.client.call<ReportView>('chaos.run.evidence', { run })
      for (const event of data.events.filter(({ position }) => position > seen)) this.note(`  ${event.text}`)
      seen = data.events.at(-1)?.position ?? seen
      if (data.state === 'closed' || interrupts() > 1) return data
      await sleep(POLL_MS)
    }
  }
}

/** Counts Ctrl-C from before the run starts, so that none of them leaves it running unseen. */
function countInterrupts(onFirst: () => void): { count: () => number; stop: () => void } {
  let count = 0
  const listener = (): void => {
    count += 1
    if (count === 1) onFirst()
  }
  process.on('SIGINT', listener)
  return { count: () => count, stop: () => void process.off('SIGINT', listener) }
}
