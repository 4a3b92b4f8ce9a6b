import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { zoneFlag } from '../../../cli/flags/zone.ts'

const operation = remote('tw.maintenance.create', async () => (await import('../../../core/tw/operations.ts')).maintenanceCreate)

const KINDS = ['reboot', 'kernel', 'power', 'command'] as const
const LEVELS = ['node', 'rack', 'zone', 'region'] as const

export default class TwMaintenanceCreate extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Plan work on nodes: one domain at a time, in its windows, drained first and given back after.'
  static override description = [
    'A node is taken when a window is open, what runs there fits elsewhere, and no other domain is worked on. Kinds reboot, kernel and power',
    'wait for somebody to do it and see by the next boot that it was done; kind command runs --command on the node and keeps what it says.',
  ].join('\n')
  static override flags = {
    nodes: Flags.string({ description: 'nodes, or rack:R, zone:Z, region:R, label:K=V', required: true, multiple: true, delimiter: ',' }),
    kind: Flags.string({ description: 'what is done', options: [...KINDS], default: 'reboot' }),
    command: Flags.string({ description: 'what is run on each node, by /bin/sh -c', helpValue: 'TEXT' }),
    'command-timeout': Flags.string({ description: 'how long it may take', default: '10m' }),
    window: Flags.string({ description: 'when it may begin: FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYHOUR, BYMINUTE', helpValue: 'RRULE' }),
    length: Flags.string({ description: 'how long a window is open', default: '2h' }),
    tz: Flags.string({ description: 'time zone of the window', default: 'UTC' }),
    level: Flags.string({ description: 'of what two are never worked on at once', options: [...LEVELS], default: 'rack' }),
    'max-concurrent': Flags.integer({ description: 'nodes of one domain at once', default: 1, min: 1 }),
    deadline: Flags.string({ description: 'how long one node may take; later it is overdue', helpValue: '1h' }),
    hard: Flags.boolean({ description: 'at the deadline force tasks off the node' }),
    note: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw maintenance create --nodes rack:r1-a-1 --kind reboot --window "FREQ=WEEKLY;BYDAY=SA;BYHOUR=2" --tz Europe/Berlin',
    '<%= config.bin %> tw maintenance create --nodes n1,n2 --kind command --command "echo patched" --yes',
  ]

  input({ flags }: Parsed<typeof TwMaintenanceCreate>): InputOf<typeof operation> {
    return {
      targets: flags.nodes ?? [],
      kind: KINDS.find((kind) => kind === flags.kind) ?? 'reboot',
      command: flags.command === undefined ? null : ['/bin/sh', '-c', flags.command],
      commandTimeoutMs: durationFlag('command-timeout', flags['command-timeout'] ?? '10m'),
      window: flags.window ?? null,
      windowMs: durationFlag('length', flags.length ?? '2h'),
      zone: zoneFlag(flags.tz ?? 'UTC'),
      level: LEVELS.find((level) => level === flags.level) ?? 'rack',
      maxConcurrent: flags['max-concurrent'] ?? 1,
      deadlineMs: flags.deadline === undefined ? null : durationFlag('deadline', flags.deadline),
      isHard: flags.hard ?? false,
      note: flags.note ?? '',
    }
  }

  render(data: OutputOf<typeof operation>): string {
    return `maintenance ${data.maintenance} of ${data.nodes.join(', ')} is planned`
  }
}
