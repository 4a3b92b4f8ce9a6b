import { rmSync } from 'node:fs'
import { Flags, MusterCommand } from '../cli/command.ts'
import { MusterError } from '../core/kernel/errors.ts'

export default class Down extends MusterCommand {
  static override summary = 'End the fleet of this context: tasks, agents, proxies, store and server.'
  static override description =
    'The state stays: the next `muster up` brings everything back. Works as well after a crash: whatever is left of the fleet is found and ended.'
  static override examples = ['<%= config.bin %> down', '<%= config.bin %> down --purge --confirm default']
  static override flags = {
    purge: Flags.boolean({ description: 'also remove the state: jobs, incidents, events, everything' }),
    confirm: Flags.string({ description: 'with --purge: the name of the context', helpValue: 'NAME' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.start(Down)
    const { context, root } = this.paths
    if (flags.purge) {
      const { confirmName } = await import('../cli/confirm.ts')
      await confirmName(`Remove everything in ${root}.`, context, flags.confirm, { stdin: process.stdin, stderr: process.stderr })
    } else if (flags.confirm !== undefined) throw new MusterError('USAGE', '--confirm goes with --purge')
    const { tearDown } = await import('../server/processes/teardown.ts')
    const ended: string[] = []
    await tearDown(this.paths, (what) => {
      ended.push(what)
      if (!this.isMachine) this.note(`  ends ${what}`)
    })
    if (flags.purge) rmSync(root, { recursive: true, force: true })
    await this.answer('down', { context, ended, purged: flags.purge }, () =>
      ended.length > 0 ? `context "${context}" is down${flags.purge ? ', its state removed' : ''}` : `context "${context}" was not running`,
    )
  }
}
