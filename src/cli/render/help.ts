import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { textWidth, wrap } from './text.ts'

/** What help needs to know of a command; oclif's cached commands are of this form. */
export interface CommandInfo {
  id: string
  summary?: string | undefined
  description?: string | undefined
  hidden?: boolean | undefined
  examples?: readonly (string | { command: string; description?: string })[] | undefined
  args: Record<string, ArgInfo>
  flags: Record<string, FlagInfo>
  strict?: boolean | undefined
}

export interface ArgInfo {
  name: string
  description?: string | undefined
  required?: boolean | undefined
  options?: readonly string[] | undefined
  hidden?: boolean | undefined
}

export interface FlagInfo {
  name: string
  char?: string | undefined
  type: 'boolean' | 'option'
  description?: string | undefined
  helpValue?: string | readonly string[] | undefined
  helpGroup?: string | undefined
  options?: readonly string[] | undefined
  required?: boolean | undefined
  default?: unknown
  multiple?: boolean | undefined
  allowNo?: boolean | undefined
  hidden?: boolean | undefined
}

/** The six, and what each is for. */
export const TOPICS: Record<string, string> = {
  tw: 'run containers on the fleet: jobs, tasks, nodes',
  'tw job': 'run, scale, stop and look back at jobs',
  'tw maintenance': 'planned work on nodes: windows, drains, what is overdue',
  'tw node': 'the machines',
  'tw import': 'take over files of other tools',
  'tw entitlement': 'what owners are guaranteed',
  'tw quota': 'what owners may take at most',
  'tw settings': 'what is set for the whole fleet',
  'tw mesh': 'how requests are spread over tasks and versions',
  'tw mesh split': 'shares of versions',
  'tw op': 'planned stops of tasks: what waits, for what, and who may go first',
  'tw profile': 'kernel settings of nodes, kept in profiles that nodes are put into',
  'tw upgrade': 'agents that go over to another installation, wave by wave',
  'tw update': 'rolling updates under way: hold, promote, give up',
  'tw task': 'one task: show, stop, restart, run a command in it',
  deploy: 'ship a release gradually, stop and undo it by the data',
  scuba: 'send events, ask questions, draw them',
  'scuba table': 'the tables of events',
  'scuba alert': 'rules that open a SEV',
  'scuba board': 'panels that are seen together',
  'scuba derive': 'columns that are computed from others',
  'scuba hold': 'stretches of time whose rows are kept',
  'scuba leaf': 'the stores of rows on nodes',
  'scuba quarantine': 'lines that could not become rows',
  'scuba quota': 'how much may be sent',
  'scuba retention': 'how long rows are kept',
  'scuba saved': 'questions under their names',
  'scuba slo': 'objectives of services: budgets and burn rates',
  sev: 'respond: pages, incidents, postmortems',
  'sev oncall': 'who is on call',
  'sev postmortem': 'write up what happened',
  'sev contact': 'how people are reached',
  'sev schedule': 'who is paged when, from a file',
  chaos: 'practise failure within bounds',
  delos: 'the log, keys and locks everything stands on',
  'delos alarm': 'what a store says is wrong with it',
  'delos auth': 'users, roles and what they may do',
  'delos auth role': 'what a role allows',
  'delos auth user': 'users, their passwords and roles',
  'delos barrier': 'points where several wait for each other',
  'delos config': 'configurations: versions, schemas, trials, going back',
  'delos elect': 'one leader at a time',
  'delos ephemeral': 'keys that go with their holder',
  'delos group': 'who is here',
  'delos kv': 'keys and values',
  'delos leader': 'who leads a store',
  'delos lease': 'times that keys last',
  'delos lock': 'locks that end with their holder',
  'delos log': 'the log itself',
  'delos member': 'the servers of a store',
  'delos meta': 'records that describe things, found by their labels',
  'delos semaphore': 'at most so many at once',
  'delos sequence': 'numbers that are given once',
  'delos snapshot': 'the whole state in a file',
  config: 'settings and where they come from',
  token: 'who may use the TCP listener',
}

/** Whose examples a topic starts with: what it is used for most, not what the alphabet puts first. */
const STARTS: Record<string, readonly string[]> = {
  tw: ['tw:job:run', 'tw:ps', 'tw:logs', 'tw:explain'],
  deploy: ['deploy:start', 'deploy:watch', 'deploy:why', 'deploy:rollback'],
  scuba: ['scuba:query', 'scuba:panel', 'scuba:tail', 'scuba:send'],
  sev: ['sev:list', 'sev:ack', 'sev:show', 'sev:resolve'],
  chaos: ['chaos:run', 'chaos:active', 'chaos:report', 'chaos:halt'],
  delos: ['delos:kv:put', 'delos:kv:watch', 'delos:lock:run', 'delos:log:ls'],
}

/** `muster tw ps --help`: examples first. */
export function renderCommandHelp(command: CommandInfo, view: View): string {
  const args = Object.values(command.args).filter((arg) => !arg.hidden)
  const flags = Object.values(command.flags).filter((flag) => !flag.hidden)
  const name = spell(command.id)
  const groups = [...new Set(flags.map((flag) => flag.helpGroup ?? 'FLAGS'))].sort((a, b) => rank(a) - rank(b))
  const sections = [
    command.summary ?? command.description?.split('\n')[0] ?? '',
    section(view, 'EXAMPLES', examplesOf(command)),
    section(view, 'USAGE', [
      `$ muster ${name}${args.map((arg) => ` ${usage(arg)}`).join('')}${command.strict === false ? ' …' : ''} [flags]`,
    ]),
    section(
      view,
      'ARGUMENTS',
      pairs(
        view,
        args.map((arg) => [arg.name.toUpperCase(), withOptions(arg.description, arg.options)]),
      ),
    ),
    ...groups.map((group) =>
      section(
        view,
        group === 'FLAGS' ? 'FLAGS' : (GROUP_TITLES[group] ?? group),
        pairs(view, flags.filter((flag) => (flag.helpGroup ?? 'FLAGS') === group).map(flagPair)),
      ),
    ),
    command.summary !== undefined && command.description ? section(view, 'DESCRIPTION', paragraphs(view, command.description.trim())) : '',
  ]
  return sections.filter(Boolean).join('\n\n')
}

const GROUP_TITLES: Record<string, string> = { CHANGE: 'BEFORE IT CHANGES ANYTHING', GLOBAL: 'EVERYWHERE' }
const rank = (group: string): number =>
  ['FLAGS', 'CHANGE', 'GLOBAL'].indexOf(group) + (['FLAGS', 'CHANGE', 'GLOBAL'].includes(group) ? 0 : 1.5)

/** `muster tw --help`, `muster help`: what there is below a topic. */
export function renderTopicHelp(topic: string, commands: readonly CommandInfo[], view: View): string {
  const prefix = topic === '' ? '' : `${topic}:`
  const below = commands.filter((command) => !command.hidden && command.id.startsWith(prefix))
  const topics = [
    ...new Set(
      below
        .map((command) => command.id.slice(prefix.length).split(':'))
        .filter((words) => words.length > 1 && !below.some((c) => c.id === prefix + words[0]))
        .map((words) => words[0] ?? ''),
    ),
  ]
  const direct = below.filter(
    (command) =>
      !command.id.slice(prefix.length).includes(':') || below.some((c) => c.id === prefix + command.id.slice(prefix.length).split(':')[0]),
  )
  const name = spell(topic)
  const head =
    topic === '' ? 'Muster: production operations for a fleet in one program.' : `muster ${name}: ${TOPICS[name] ?? 'more commands'}`
  const start =
    topic === ''
      ? ['$ muster up --nodes 6 --regions 2', '$ muster tw job run ./job.yaml', '$ muster deploy start web --release ./dist-v2']
      : (STARTS[topic] ?? below.map((command) => command.id))
          .flatMap((id) => below.filter((command) => command.id === id))
          .flatMap((command) =>
            examplesOf(command)
              .filter((line) => line.startsWith('$'))
              .slice(0, 1),
          )
          .slice(0, 4)
  return [
    head,
    section(view, 'EXAMPLES', start),
    section(
      view,
      'TOPICS',
      pairs(
        view,
        topics.map((word) => [
          spell(prefix + word),
          TOPICS[spell(prefix + word)] ?? `${below.filter((c) => c.id.startsWith(`${prefix}${word}:`)).length} commands`,
        ]),
      ),
    ),
    section(
      view,
      'COMMANDS',
      pairs(
        view,
        direct.map((command) => [spell(command.id), command.summary ?? '']),
      ),
    ),
    topic === ''
      ? section(view, 'READ MORE', [`muster help ${Object.keys(HELP_TOPICS).join(' | ')}`, 'muster COMMAND --help, muster explain CODE'])
      : '',
  ]
    .filter(Boolean)
    .join('\n\n')
}

function spell(id: string): string {
  return id.replaceAll(':', ' ')
}

function section(view: View, title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [paint(view, 'bold', title), ...lines.map((line) => (line === '' ? '' : `  ${line}`))].join('\n')
}

function examplesOf(command: CommandInfo): string[] {
  return (command.examples ?? []).flatMap((example) => {
    const text = typeof example === 'string' ? example : example.command
    const line = `$ ${fillExample(text, command.id)}`
    return typeof example === 'string' || !example.description ? [line] : [`# ${example.description}`, line]
  })
}

/** oclif's two placeholders. */
export function fillExample(text: string, id: string): string {
  return text
    .replaceAll(/<%= config\.bin %>/g, 'muster')
    .replaceAll(/<%= command\.id %>/g, spell(id))
    .replace(/^\$ /, '')
}

function usage(arg: ArgInfo): string {
  return arg.required ? arg.name.toUpperCase() : `[${arg.name.toUpperCase()}]`
}

function withOptions(text = '', options?: readonly string[]): string {
  return options && options.length > 0 ? `${text} (${options.join(', ')})`.trim() : text
}

function flagPair(flag: FlagInfo): [string, string] {
  const value =
    flag.type === 'option'
      ? `=${typeof flag.helpValue === 'string' ? flag.helpValue : flag.options && flag.options.length < 5 ? flag.options.join('|') : (flag.name.split('-').at(-1) ?? '').toUpperCase()}`
      : ''
  const name = `${flag.char ? `-${flag.char}, ` : '    '}--${flag.allowNo ? '[no-]' : ''}${flag.name}${value}${flag.multiple ? ' …' : ''}`
  const fallback =
    flag.default !== undefined && flag.default !== false && flag.default !== '' && typeof flag.default !== 'function'
      ? ` [${String(flag.default)}]`
      : ''
  return [name, `${flag.required ? '(required) ' : ''}${flag.description ?? ''}${fallback}`]
}

/** Columns left for a description that is still read comfortably; narrower than this, lines just run on. */
const WRAP_MIN = 30

function pairs(view: View, rows: readonly (readonly [string, string])[]): string[] {
  const width = rows.reduce((max, [name]) => Math.max(max, textWidth(name)), 0)
  const room = view.width === null ? 0 : view.width - width - 4
  return rows.flatMap(([name, text]) => {
    const [first = '', ...more] = room < WRAP_MIN ? [text] : wrap(text, room)
    return [`${name.padEnd(width)}  ${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(width)}  ${line}`)]
  })
}

function paragraphs(view: View, text: string): string[] {
  return text.split('\n').flatMap((line) => (view.width === null ? [line] : wrap(line, view.width - 2)))
}

/** Pages that belong to no command. */
export const HELP_TOPICS: Record<string, string> = {
  environment: `ENVIRONMENT

  MUSTER_CONTEXT     which fleet to talk to [default]
  MUSTER_STATE_DIR   the state directory of a local fleet [$XDG_STATE_HOME/muster/CONTEXT]
  MUSTER_ADDRESS     http://HOST:PORT of a remote fleet
  MUSTER_TOKEN       its bearer token
  MUSTER_OUTPUT      table, wide, name, yaml, json or jsonl [table]
  MUSTER_ACTOR       who the log says has asked [user:$USER]
  NO_COLOR           no colours; FORCE_COLOR: colours always; TERM=dumb: no colours and no screens
  XDG_STATE_HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME as everywhere`,
  'exit-codes': `EXIT CODES

  0    done
  1    failed
  2    usage: the command line or a file is not of the documented form
  3    not found
  4    not permitted: a role, a guard, a freeze, a missing confirmation
  5    conflict: a lock, a stale plan, something in flight
  6    unavailable: try again
  7    findings (lint, verify, --exit-code)
  8    partial: some of it was done, see the answer
  70   a bug in muster: please report it
  130  interrupted (Ctrl-C), 143 terminated

  muster explain CODE says more about the code an error ends with.`,
  output: `OUTPUT

  -o table   for people (the default)          -o json    one envelope; --json is the same
  -o wide    more columns                      -o jsonl   one row a line
  -o name    names only, for pipes             -o yaml    the envelope as YAML

  The envelope: {"schema": "muster.tw.ps/1", "ok": true, "data": …, "warnings": []}
  or            {"schema": "muster.tw.ps/1", "ok": false, "error": {"code", "message", "hint", "docs", "exit"}}

  The answer is on stdout, progress and remarks on stderr. Off a terminal nothing is truncated.
  --watch gives JSON Lines: {"type": "snapshot"}, {"type": "event"}, {"type": "result"}.`,
  config: `CONFIG

  flag > MUSTER_* > ./muster.toml > $XDG_CONFIG_HOME/muster/config.toml > default
  muster config show --origin says which one won.

    context = "staging"            # which of the contexts below; "default" is this machine
    output = "table"
    color = "auto"                 # or "never"

    [contexts.staging]
    address = "http://10.0.0.5:7420"
    token_file = "staging.token"   # beside this file; or token = "…"

    [contexts.prod]
    state_dir = "/var/lib/muster"
    protected = true               # asks for the name where others ask y/N`,
  runbooks: `RUNBOOKS

  Something is wrong and I was paged      muster sev list, muster sev show SEV, muster sev ack SEV
  A bad version is out                    muster deploy status, muster deploy rollback SERVICE
  Stop everything that changes            muster deploy halt, muster chaos halt
  A task is not placed                    muster tw explain TASK
  Where are the logs                      muster status
  The server does not answer              muster status, muster up (it recovers by itself); reads work without it
  What happened, in order                 muster delos log ls --from 1`,
}
