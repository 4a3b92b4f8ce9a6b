import { Args, ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { shareFlag } from '../../../cli/flags/share.ts'
import { renderConfigSet } from '../../../cli/render/delos-config.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('delos.config.set', async () => (await import('../../../core/delos/operations.ts')).configSet)
const look = remote('delos.config.get', async () => (await import('../../../core/delos/operations.ts')).configGet)

export default class ConfigSet extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set a configuration: a new version, for all readers or first for a share of them.'
  static override description =
    'With --canary the version is served to that share of the readers, always the same ones; readers say who they are, tasks of this fleet ' +
    'by $MUSTER_TASK. The requests of the tasks that have it are judged beside those of the others, as in a rollout: a version by which ' +
    'more of them fail, or are slower, is rolled back at once; a good one is active after --canary-for, once it is shown that fewer ' +
    'than --good-below fail, or not clearly more than of the others. Where that cannot be shown by then it is rolled back, and `config history` says what was missing. ' +
    '`config judge` ends a trial at any time. What does not fit its JSON Schema is refused; a schema stays for later versions. ' +
    'A configuration with a schema is kept as JSON: a YAML file is written anew, without its comments. ' +
    'The last 100 versions are kept, and all of the last 90 days.'
  static override args = { config: Args.string({ required: true, description: 'its name, e.g. web/limits' }) }
  static override flags = {
    file: Flags.string({ char: 'f', required: true, description: 'the text, UTF-8, at most 1 MiB; - for standard input' }),
    schema: Flags.string({
      description: 'a JSON Schema (2020-12) that it and later versions must fit',
      helpValue: 'FILE',
      exclusive: ['no-schema'],
    }),
    'no-schema': Flags.boolean({ description: 'any text from here on' }),
    expect: Flags.integer({ description: 'only if this is the active version; 0: only if the name is new', helpValue: 'VERSION', min: 0 }),
    canary: Flags.string({ description: 'first for this share of the readers', helpValue: '10%' }),
    'canary-for': Flags.string({ description: 'how long it is on trial', default: '5m', helpValue: 'TIME' }),
    'good-below': Flags.string({
      description: 'good if shown to fail less than this; 0.1% takes 3,000 requests',
      default: '0.1%',
      helpValue: 'SHARE',
    }),
    service: Flags.string({
      description: 'the service it concerns: its requests judge a trial, its incidents show the change',
      helpValue: 'NAME',
    }),
  }
  static override examples = [
    '<%= config.bin %> delos config set web/limits -f limits.json',
    '<%= config.bin %> delos config set web/limits -f limits.yaml --schema limits.schema.json --expect 3',
    '<%= config.bin %> delos config set web/limits -f limits.json --canary 10% --canary-for 5m --service web',
    '<%= config.bin %> delos config set web/limits -f limits.json --canary 25% --good-below 1%',
  ]

  async input({ args, flags }: Parsed<typeof ConfigSet>) {
    const { asJson, isJson, readConfigText } = await import('../../../cli/files/config-file.ts')
    if (flags.file === '-' && flags.schema === '-') throw new MusterError('USAGE', '--file and --schema cannot both be standard input')
    const text = readConfigText(flags.file)
    const schema = flags['no-schema'] ? null : flags.schema === undefined ? undefined : asJson(readConfigText(flags.schema), flags.schema)
    const needsJson = !isJson(text) && (schema ?? (schema === undefined ? await this.schemaOf(args.config) : null)) !== null
    if (needsJson) this.note('▲ It has a schema, so it is kept as JSON; comments of the YAML file are not.')
    return defined({
      name: args.config,
      body: needsJson ? asJson(text, flags.file) : text,
      schema,
      expect: flags.expect,
      canaryPpm: shareFlag('canary', flags.canary),
      canaryForMs: durationFlag('canary-for', flags['canary-for'], 1000),
      goodBelowPpm: shareFlag('good-below', flags['good-below']),
      service: flags.service,
    })
  }

  render(data: OutputOf<typeof operation>): string {
    return renderConfigSet(data)
  }

  /** The schema that its active version has. */
  private async schemaOf(name: string): Promise<string | null> {
    try {
      return (await this.call(look, { name })).data.schema
    } catch (error) {
      if (error instanceof MusterError && error.code === 'DELOS_CONFIG_UNKNOWN') return null
      throw error
    }
  }
}
