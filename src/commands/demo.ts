import { Flags, MusterCommand } from '../cli/command.ts'
import type { DemoReport, DemoStep } from '../cli/demo/report.ts'
import { renderDemoReport, renderDemoStep } from '../cli/render/demo.ts'

export default class Demo extends MusterCommand {
  static override summary = 'The whole loop in about a minute: a fleet, a service, a good and a bad release, a page, a failure.'
  static override description =
    'Starts an ephemeral fleet of its own (2 regions, 6 node agents, real processes), sends real traffic through the mesh, ships a good and a bad version, kills tasks, and leaves nothing behind. ' +
    'Rollouts use the profile "demo": steps of seconds that start at 5 %, one user per request, a floor rate of 3 %, the usual α. The usual 0.1 % of a small machine\'s traffic would take minutes to judge. ' +
    'Exits 0 when every step did what it claims, else 1.'
  static override examples = ['<%= config.bin %> demo', '<%= config.bin %> demo --json', '<%= config.bin %> demo --plain']
  static override flags = { plain: Flags.boolean({ description: 'plain lines also on a terminal' }) }

  async run(): Promise<void> {
    const { flags } = await this.start(Demo)
    const { runDemo } = await import('../cli/demo/run.ts')
    const signal = this.interrupted()
    const report =
      this.isScreen && !flags.plain ? await this.onScreen(signal) : await runDemo((_view, step) => step && this.said(step), signal)
    if (this.isMachine) await this.answer('demo', report, () => '')
    else this.print(renderDemoReport(report, this.view))
    process.exitCode ||= report.ok ? 0 : 1
  }

  private async onScreen(signal: AbortSignal): Promise<DemoReport> {
    const { runDemo } = await import('../cli/demo/run.ts')
    const { openDemoScreen } = await import('../tui/demo/open.tsx')
    const screen = openDemoScreen()
    try {
      return await runDemo((view) => screen.show(view), signal)
    } finally {
      screen.close()
    }
  }

  private said(step: DemoStep): void {
    if (this.isMachine) this.note(`${step.name}: ${step.state}`)
    else this.print(renderDemoStep(step, this.view))
  }
}
