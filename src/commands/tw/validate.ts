import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { count } from '../../cli/render/text.ts'

export default class TwValidate extends MusterCommand {
  static override summary = 'Check a job file: every error with file, line and column.'
  static override args = { file: Args.string({ description: 'the job file, - for standard input', required: true }) }
  static override flags = { set: Flags.string({ description: 'lay a value over the file first', multiple: true, helpValue: 'PATH=VALUE' }) }
  static override examples = ['<%= config.bin %> tw validate job.yaml', '<%= config.bin %> tw validate job.yaml --set groups.api.count=8']

  async run(): Promise<void> {
    const { args, flags } = await this.start(TwValidate)
    const { loadJobFile } = await import('../../cli/files/job-file.ts')
    const { spec } = loadJobFile(args.file ?? '-', flags.set ?? [])
    await this.answer('tw.validate', { file: args.file, isValid: true, spec }, () => {
      const tasks = spec.groups.reduce((sum, group) => sum + group.count, 0)
      return `${args.file} is valid: ${spec.kind} ${spec.job}, ${count(spec.groups.length, 'group')}, ${count(tasks, 'task')}`
    })
  }
}
