import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('tw.job.dispatch', async () => (await import('../../../core/tw/operations.ts')).jobDispatch)

export default class TwJobDispatch extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Start one run of a parameterised job.'
  static override description =
    'The run is a job of its own, JOB.N. Its task has what it was given in MUSTER_META_KEY and MUSTER_PAYLOAD. With a token a repeated dispatch gives the run that is there, so it can be retried without harm; a token is remembered for a day after its run ended.'
  static override args = { job: Args.string({ description: 'the job', required: true }) }
  static override flags = {
    meta: Flags.string({ description: 'a parameter of the run', multiple: true, helpValue: 'KEY=VALUE' }),
    payload: Flags.string({ description: 'a file of text for the run, at most 64 KiB; - for standard input', helpValue: 'FILE' }),
    token: Flags.string({ description: 'the same token gives the same run, once' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw job dispatch resize --meta image=cat.png --token cat-1',
    'cat order.json | <%= config.bin %> tw job dispatch invoice --payload -',
  ]

  async input({ args, flags }: Parsed<typeof TwJobDispatch>): Promise<InputOf<typeof operation>> {
    const { readText } = await import('../../../cli/files/yaml-file.ts')
    const payload = flags.payload === undefined ? undefined : readText(flags.payload)
    if (payload?.includes('\0')) throw new MusterError('USAGE', 'the payload is not text: a task gets it in its environment')
    return defined({ job: args.job ?? '', meta: metaOf(flags.meta ?? []), payload, token: flags.token, reason: flags.reason ?? '' })
  }

  render(data: OutputOf<typeof operation>): string {
    return data.isNew ? `${data.run} is started` : `${data.run} has this token: nothing was started`
  }
}

/** `['who=anna']` → `{who: 'anna'}` */
function metaOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const cut = pair.indexOf('=')
      if (cut <= 0) throw new MusterError('USAGE', `--meta "${pair}" is not of the form KEY=VALUE`)
      return [pair.slice(0, cut), pair.slice(cut + 1)]
    }),
  )
}
