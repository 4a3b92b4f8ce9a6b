import { MusterError } from '../core/kernel/errors.ts'
import { skewOr } from './version-skew.ts'
import { createClient, pathsOf, targetOf, type Answer, type CallOptions, type Client, type Plan } from './client.ts'
import { loadConfig, type CliConfig } from './config.ts'
import { Command, Flags, type Interfaces } from './oclif.ts'
import { format, FORMATS, isMachine, schemaName, toFormat, type Format } from './output.ts'
import type { InputOf, OperationRef, OutputOf } from './reference.ts'
import { viewOf, type View } from './terminal.ts'
import type { StoreFlags } from './flags/store.ts'
import type { WatchOptions } from './follow/frames.ts'

export { Args, Flags } from './oclif.ts'
export { remote, type InputOf, type OperationRef, type OutputOf } from './reference.ts'
export type { View } from './terminal.ts'
export { defined } from './defined.ts'

/** What `this.parse` gives for a command class: `input({ args, flags }: Parsed<typeof MyCommand>)`. */
export interface Parsed<C extends { args?: unknown; flags?: unknown } = never> {
  args: Interfaces.InferredArgs<NonNullable<C['args']>>
  flags: Interfaces.InferredFlags<NonNullable<C['flags']>>
  argv: string[]
}

// oxlint-disable-next-line typescript/no-explicit-any -- each command narrows it to Parsed<typeof itself>
type AnyParsed = { args: any; flags: any; argv: string[] }

interface CommonFlags {
  json: boolean
  output: string | undefined
  context: string | undefined
  'no-color': boolean
}

/**
 * What every command shares: the common flags, the config, the client, and how an answer goes out.
 * Use {@link QueryCommand} and {@link ChangeCommand} for a command that is one operation; extend this one for the
 * rest (streams, TUIs, several calls) and write `run()`.
 */
export abstract class MusterCommand extends Command {
  static override baseFlags = {
    json: Flags.boolean({ description: 'JSON, the same as -o json', helpGroup: 'GLOBAL', exclusive: ['output'] }),
    output: Flags.string({
      char: 'o',
      description: 'how to print the answer',
      options: [...FORMATS],
      helpGroup: 'GLOBAL',
      helpValue: FORMATS.join('|'),
    }),
    context: Flags.string({ description: 'which fleet to talk to', helpGroup: 'GLOBAL', helpValue: 'NAME' }),
    'no-color': Flags.boolean({ description: 'no colours', helpGroup: 'GLOBAL' }),
  }

  /** set by {@link start} */
  protected settings!: CliConfig
  protected format: Format = 'table'
  /** how stdout renders; renderers are pure functions of it */
  protected view: View = { width: null, hasColor: false, isTty: false, isWide: false }
  #client: Client | undefined
  /** `--endpoints` and what belongs to it; null: the context's own store is asked */
  protected otherStore: StoreFlags | null = null

  /** Parses the command line and loads the config. The first line of every `run()`. */
  protected async start<C extends { args?: unknown; flags?: unknown }>(command: C): Promise<Parsed<C>> {
    // oclif would take piped input for a missing argument: `… | muster tw ps` must not become a question about a job.
    for (const arg of Object.values((command.args ?? {}) as Record<string, { ignoreStdin?: boolean }>)) arg.ignoreStdin = true
    // oclif copies what the class itself says, and would lose arguments that it inherits.
    const { args, flags: own, baseFlags } = command as unknown as typeof MusterCommand
    const said = { ...command, args, flags: own, baseFlags }
    const parsed = (await this.parse(said as never).catch(asUsage)) as unknown as { args: unknown; flags: unknown; argv: unknown[] }
    const flags = parsed.flags as CommonFlags & StoreFlags
    if (flags.endpoints !== undefined) this.otherStore = flags
    this.settings = await loadConfig({ context: flags.context, output: flags.json ? 'json' : flags.output })
    this.format = toFormat(this.settings.output.value, this.settings.output.origin)
    this.view = viewOf(process.stdout, {
      noColor: flags['no-color'] || this.settings.color.value === 'never',
      isWide: this.format === 'wide',
    })
    return { args: parsed.args, flags: parsed.flags, argv: parsed.argv.map(String) } as Parsed<C>
  }

  /** Client of the context's server; connects only when used. */
  protected get client(): Client {
    this.#client ??= createClient(targetOf(this.settings), this.actor)
    return this.#client
  }

  /** `user:anna`; what the log records as the one who asked. */
  protected get actor(): string {
    const { env } = process
    return (
      env['MUSTER_ACTOR'] ||
      `user:${env['USER'] || env['LOGNAME'] || (process.getuid?.() === 0 ? 'root' : String(process.getuid?.() ?? 'unknown'))}`
    )
  }

  /** Where the state of a local context is. */
  protected get paths(): ReturnType<typeof pathsOf> {
    return pathsOf(this.settings)
  }

  protected get isMachine(): boolean {
    return isMachine(this.format)
  }

  /** True if a TUI or a repainting screen may be used: stdout is a terminal and people's format was asked for. */
  protected get isScreen(): boolean {
    return this.view.isTty && process.stdin.isTTY && !this.isMachine && this.format !== 'name' && process.env['TERM'] !== 'dumb'
  }

  /** `tw.ps`: names the form of this command's answer, `muster.tw.ps/1`. */
  protected get dottedId(): string {
    return (this.id ?? 'unknown').replaceAll(':', '.')
  }

  /** Writes the answer, of the form `muster.<name>/1`, in the format that was asked for; `render` draws it for people. Warnings go to stderr too. */
  protected async answer<T>(
    name: string,
    data: T,
    render: (data: T, view: View) => string,
    warnings: readonly string[] = [],
  ): Promise<void> {
    for (const warning of warnings) this.note(`▲ ${warning}`)
    const kind = this.format
    this.print(kind === 'table' || kind === 'wide' ? render(data, this.view) : await format(kind, schemaName(name), data, warnings))
  }

  /** One line (or more) on stdout. */
  protected print(text: string): void {
    if (text !== '') process.stdout.write(`${text}\n`)
  }

  /** Progress and remarks, for people: stderr, so that stdout stays the answer. */
  protected note(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  /** Asks the server, and a query of a local context from the state on disk when there is none. */
  protected async call<In, Out>(operation: OperationRef<In, Out>, input: In, options: CallOptions = {}): Promise<Answer<Out>> {
    if (this.otherStore !== null) {
      const { callStore } = await import('./store/call.ts')
      return callStore<Out>(this.otherStore, await operation.load(), input, options)
    }
    try {
      return await this.client.call<Out>(operation.name, input, options)
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'SERVER_DOWN' || this.client.target.socketPath === undefined) throw error
      const { answerOffline } = await import('./offline.ts')
      return answerOffline<Out>(this.paths.stateDb, await operation.load(), input, this.actor, error)
    }
  }

  /**
   * `--watch`: follows something until `isDone`, Ctrl-C or a closed pipe. Repaints on a terminal, plain lines or JSON Lines
   * (`snapshot`, `event`, `result`) elsewhere. A TUI of its own looks at `this.isScreen` first and is imported there.
   */
  protected async watch<T>(options: WatchOptions<T>): Promise<T> {
    const { watch } = await import('./follow/frames.ts')
    const kind = this.isMachine ? 'json' : this.isScreen ? 'screen' : 'lines'
    return watch(this.client, options, { kind, write: (text) => void process.stdout.write(text), signal: this.interrupted() })
  }

  /** A signal that is aborted by Ctrl-C, SIGTERM or a closed terminal, for streams that should end quietly. The exit code stays 130, 143 or 129. */
  protected interrupted(): AbortSignal {
    const controller = new AbortController()
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.once(signal, () => {
        process.exitCode = code
        controller.abort()
      })
    }
    return controller.signal
  }

  /** oclif would look for deprecated names here, which ours have none of. */
  protected override async init(): Promise<void> {}

  /** Errors are printed by `main.ts`, in one place. */
  protected override async catch(error: Error): Promise<never> {
    throw skewOr(error, this.config.version, this.#client?.serverVersion())
  }

  override jsonEnabled(): boolean {
    return false
  }
}

/** A command that is one read. Declare `static operation`, args and flags; say `input` and `render`. */
export abstract class QueryCommand<Ref extends OperationRef = OperationRef> extends MusterCommand {
  static operation: OperationRef

  /** What to ask, from the command line. */
  abstract input(parsed: AnyParsed): InputOf<Ref> | Promise<InputOf<Ref>>
  /** The table for people; pure. Usually one call of a function in src/cli/render/. */
  abstract render(data: OutputOf<Ref>, view: View): string

  /** The exit code of an answer; e.g. 7 for findings. */
  exitCode(_data: OutputOf<Ref>): number {
    return 0
  }

  async run(): Promise<void> {
    const command = this.constructor as typeof QueryCommand
    const parsed = await this.start(command)
    await this.answerOnce(command.operation as unknown as OperationRef<InputOf<Ref>, OutputOf<Ref>>, await this.input(parsed as never))
  }

  protected async answerOnce(operation: OperationRef<InputOf<Ref>, OutputOf<Ref>>, input: InputOf<Ref>): Promise<void> {
    const { data, warnings } = await this.call(operation, input)
    await this.answer(this.dottedId, data, (value, view) => this.render(value, view), warnings)
    process.exitCode = this.exitCode(data)
  }
}

/** A read that can be followed: adds `--watch`. Declare `static watches` beside what {@link QueryCommand} wants. */
export abstract class WatchQueryCommand<Ref extends OperationRef = OperationRef> extends QueryCommand<Ref> {
  static override baseFlags = {
    ...MusterCommand.baseFlags,
    watch: Flags.boolean({ char: 'w', description: 'go on: a screen on a terminal, else plain lines or JSON Lines' }),
  }

  /** prefixes of the types of entries that concern it, e.g. `deploy.` */
  static watches: readonly string[]

  override async run(): Promise<void> {
    const command = this.constructor as typeof WatchQueryCommand
    const parsed = await this.start(command)
    const operation = command.operation as unknown as OperationRef<InputOf<Ref>, OutputOf<Ref>>
    const input = await this.input(parsed as never)
    if (!(parsed.flags as { watch?: boolean }).watch) return this.answerOnce(operation, input)
    const { renderEntryLine } = await import('./render/delos.ts')
    await this.watch({
      snapshot: () => this.call(operation, input),
      render: (data) => this.render(data, this.view),
      types: command.watches,
      describe: (entry) => renderEntryLine(entry, this.view),
    })
  }
}

interface ChangeFlags {
  plan: boolean
  apply: string | undefined
  yes: boolean
  confirm: string | undefined
}

/** A command that changes something: adds `--plan`, `--apply`, `--yes`, `--confirm` and asks as its danger demands. */
export abstract class ChangeCommand<Ref extends OperationRef = OperationRef> extends MusterCommand {
  static operation: OperationRef

  static override baseFlags = {
    ...MusterCommand.baseFlags,
    plan: Flags.boolean({ description: 'show what would change, change nothing', helpGroup: 'CHANGE', exclusive: ['apply'] }),
    apply: Flags.string({
      description: 'do what the plan of this id says; refused (5) if things moved on',
      helpGroup: 'CHANGE',
      helpValue: 'ID',
    }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask y/N', helpGroup: 'CHANGE' }),
    confirm: Flags.string({
      description: 'the name of the target, where a high-risk command asks for it',
      helpGroup: 'CHANGE',
      helpValue: 'NAME',
    }),
  }

  abstract input(parsed: AnyParsed): InputOf<Ref> | Promise<InputOf<Ref>>
  abstract render(data: OutputOf<Ref>, view: View): string

  exitCode(_data: OutputOf<Ref>): number {
    return 0
  }

  /** What people see of a plan in place of its rows; null: its rows. `planned` is what the change would answer. */
  protected async picture(_input: InputOf<Ref>, _planned: OutputOf<Ref>): Promise<string | null> {
    return null
  }

  async run(): Promise<void> {
    const command = this.constructor as typeof ChangeCommand
    const parsed = await this.start(command)
    const operation = command.operation as unknown as OperationRef<InputOf<Ref>, OutputOf<Ref>>
    const done = await this.change(operation, await this.input(parsed as never), parsed.flags as unknown as ChangeFlags)
    if (done === null) return
    await this.answer(this.dottedId, done.data, (value, view) => this.render(value, view), done.warnings)
    process.exitCode = this.exitCode(done.data)
  }

  /**
   * Carries a change out, or prints its plan and gives null. For commands with a `run()` of their own.
   * @param picture what people see of a plan in place of its rows, which `-o wide` adds; else {@link picture} says it
   */
  protected async change<In, Out>(
    ref: OperationRef<In, Out>,
    input: In,
    flags: ChangeFlags,
    picture: string | null = null,
  ): Promise<Answer<Out> | null> {
    const operation = await ref.load()
    const parsed = operation.input.safeParse(input)
    if (!parsed.success) {
      const { inputError } = await import('./input-error.ts')
      throw inputError(parsed.error)
    }
    if (flags.plan) {
      if (operation.kind !== 'command' && !(operation.kind === 'action' && operation.hasPlan === true))
        throw new MusterError('USAGE', 'This command acts outside the log, so its difference cannot be shown before.', {
          hint: 'Run it without --plan.',
        })
      const { plan, warnings, data } = await this.call(ref, input, { plan: true })
      const isNamed = operation.danger === 'high' || (operation.danger === 'medium' && this.settings.isProtected.value)
      const name = operation.confirmName?.(parsed.data) ?? this.settings.context.value
      const words = picture ?? (await this.picture(input as never, data as never))
      if (plan) await this.showPlan(plan, warnings, isNamed && flags.confirm === undefined ? name : null, words)
      return null
    }
    const { confirmYes, confirmName } = await import('./confirm.ts')
    const streams = { stdin: process.stdin, stderr: process.stderr }
    // Who is asked reads what it does; a refusal only names what has to be confirmed.
    const question = `${streams.stdin.isTTY ? `${operation.summary}\n` : ''}Go on with \`${this.typed()}\`?`
    let confirm: string | undefined
    const isHigh = operation.danger === 'high' || (operation.danger === 'medium' && this.settings.isProtected.value)
    if (isHigh)
      confirm = await confirmName(question, operation.confirmName?.(parsed.data) ?? this.settings.context.value, flags.confirm, streams)
    // Who applies a plan has seen what it does, so a y/N more would only be noise. A name is asked for all the same.
    else if (operation.danger === 'medium') await confirmYes(question, flags.yes || flags.apply !== undefined, streams)
    return this.call(ref, input, { apply: flags.apply, confirm: confirm ?? flags.confirm })
  }

  /** `confirm`: the name that carrying it out asks for, so that the line to copy works as it is. */
  private async showPlan(plan: Plan, warnings: readonly string[], confirm: string | null, picture: string | null): Promise<void> {
    const { renderPlan } = await import('./render/plan.ts')
    const again = this.typed(confirm === null ? [] : ['--confirm', confirm])
    await this.answer('plan', plan, (value, view) => renderPlan(view, value, again, picture), warnings)
  }

  /** The command line as it was typed, without `--plan`, and with words behind it. */
  private typed(more: readonly string[] = []): string {
    const words = [...this.argv.filter((word) => word !== '--plan'), ...more]
    return ['muster', ...(this.id ?? '').split(':'), ...words.map(quote)].join(' ')
  }
}

/** The parser refuses a value with a plain error (`Expected an integer …`): that is a mistake on the command line, not a bug. */
function asUsage(error: Error): never {
  throw error instanceof MusterError || 'parse' in error ? error : Object.assign(error, { oclif: { exit: 2 }, parse: {} })
}

/** A word as it has to be typed in a shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
