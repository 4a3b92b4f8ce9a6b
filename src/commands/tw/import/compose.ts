import { basename, dirname, resolve } from 'node:path'
import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { renderKeys } from '../../../cli/render/tw-compose.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class TwImportCompose extends MusterCommand {
  static override summary = 'Turn a compose file into a job file, with a word on every key.'
  static override description =
    'The job goes to stdout, the table of keys to stderr. Variables come from the environment, then from the files named or `.env` beside the file; `env_file`, `extends` and `include` are followed. Only the exec driver is supported, so a service needs a command.'
  static override args = { file: Args.string({ description: 'the compose file, - for standard input', required: true }) }
  static override flags = {
    strict: Flags.boolean({ description: 'exit 7 when a key could not be mapped' }),
    // Not --env-file: Node takes that for itself, wherever it stands.
    vars: Flags.string({ description: 'variables in place of those of .env', multiple: true, helpValue: 'FILE' }),
    profile: Flags.string({ description: 'a profile that is on; without it those of COMPOSE_PROFILES', multiple: true, helpValue: 'NAME' }),
    name: Flags.string({ description: 'name of the job; without it the name in the file, or of its folder' }),
  }
  static override examples = [
    '<%= config.bin %> tw import compose ./compose.yaml > job.yaml',
    '<%= config.bin %> tw import compose ./compose.yaml --strict --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(TwImportCompose)
    const file = args.file ?? '-'
    const { composeReader, composeSource } = await import('../../../cli/files/compose-file.ts')
    const { stringify } = await import('yaml')
    const { importCompose } = await import('../../../core/tw/compose/import.ts')
    const { groupName } = await import('../../../core/tw/compose/names.ts')
    const { jobSpecOf, pathText } = await import('../../../core/tw/job-spec.ts')
    const source = composeSource(file, flags.vars ?? [], process.env)
    const name = flags.name ?? (file === '-' ? 'compose' : basename(dirname(resolve(file))))
    const profiles = flags.profile ?? (source.env['COMPOSE_PROFILES'] ?? '').split(',')
    const result = importCompose(source, composeReader(process.env), name, profiles)
    const [problem] = result.problems
    if (problem) throw new MusterError('TW_COMPOSE_INVALID', result.problems.map((it) => `${file}: ${it.path}: ${it.message}`).join('\n  '))
    if (result.document === null) {
      const why = result.keys.filter((key) => key.status === 'unsupported').map((key) => `${key.key}: ${key.note}`)
      throw new MusterError(
        'TW_COMPOSE_INVALID',
        `${file}: no service can be run${why.length > 0 ? `:\n  ${why.join('\n  ')}` : ': it has none'}`,
      )
    }
    const document = flags.name === undefined ? result.document : { ...result.document, job: groupName(flags.name) }
    const checked = jobSpecOf(document)
    if (!checked.ok)
      throw new MusterError(
        'TW_COMPOSE_INVALID',
        checked.issues.map((issue) => `${file}: ${pathText(issue)}: ${issue.message}`).join('\n  '),
      )
    const yaml = stringify(document, { lineWidth: 140 })
    if (!this.isMachine) this.note(renderKeys(this.view, result.keys))
    await this.answer('tw.import.compose', { document, yaml, keys: result.keys }, (data) => data.yaml.trimEnd())
    if (flags.strict && result.keys.some((key) => key.status === 'unsupported')) process.exitCode = 7
  }
}
