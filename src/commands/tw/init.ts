import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Args, MusterCommand } from '../../cli/command.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { packageRoot } from '../../platform/spawn.ts'

export default class TwInit extends MusterCommand {
  static override summary = 'Print a commented job file to start from.'
  static override args = {
    template: Args.string({ description: 'which one: service, batch, system, cron, gpu, leader', default: 'service' }),
  }
  static override examples = ['<%= config.bin %> tw init > job.yaml', '<%= config.bin %> tw init batch > job.yaml']

  async run(): Promise<void> {
    const { args } = await this.start(TwInit)
    const folder = join(packageRoot(), 'templates', 'jobs')
    const names = readdirSync(folder)
      .flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length)] : []))
      .sort()
    const name = args.template ?? 'service'
    if (!names.includes(name))
      throw new MusterError('NOT_FOUND', `there is no template ${name}`, { hint: `There are ${names.join(', ')}.` })
    // The example runs as it is: its folder is a service that comes with muster.
    const text = readFileSync(join(folder, `${name}.yaml`), 'utf8').replace('/path/to/templates', join(packageRoot(), 'templates'))
    await this.answer('tw.init', { template: name, text }, (data) => data.text.trimEnd())
  }
}
