import { Args, Flags } from '../../../cli/command.ts'
import { confirmYes } from '../../../cli/confirm.ts'
import { defined } from '../../../cli/defined.ts'
import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS } from '../../../cli/flags/store.ts'
import { renderSwitch, type SwitchAnswer, type SwitchTrial } from '../../../cli/render/delos-chain.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const words = (text: string | undefined): string[] => (text ?? '').split(',').filter((part) => part !== '')

export default class LogSwitch extends StoreCommand {
  static override summary = "Move a store's log to another loglet, while it runs: a file, a quorum of its servers, or an etcd."
  static override description =
    'The next loglet is made ready first; then the one in use is sealed, its end found, the next version of the chain decided, and what waits goes on ' +
    'in the next one. Nothing acknowledged is lost, doubled or reordered. Without --to it goes on in a new loglet of the same kind.'
  static override args = {
    log: Args.string({
      required: true,
      options: ['control', 'kv'],
      description: "control, of this context's fleet, or kv, of its store or another",
    }),
  }
  static override flags = {
    to: Flags.option({ options: ['file', 'quorum', 'etcd'] as const, description: 'kind of the next loglet' })(),
    back: Flags.boolean({ description: 'to what it was before the last switch', exclusive: ['to'] }),
    'etcd-endpoints': Flags.string({ description: 'the etcd to keep the log in', helpValue: 'URL,…' }),
    'etcd-prefix': Flags.string({ description: 'of its keys there; without it /muster/CLUSTER/kv', helpValue: 'KEY' }),
    'etcd-user': Flags.string({ description: 'user there', helpValue: 'NAME' }),
    'etcd-password-file': Flags.string({ description: "file on each server with that user's password", helpValue: 'FILE' }),
    'etcd-cacert': Flags.string({ description: 'file on each server: who signs the certificates there', helpValue: 'FILE' }),
    'etcd-cert': Flags.string({ description: 'file on each server: its certificate there', helpValue: 'FILE' }),
    'etcd-key': Flags.string({ description: 'file on each server: the key of that', helpValue: 'FILE' }),
    'etcd-compact': Flags.boolean({
      description: 'after each trim let that etcd forget old revisions, of all its keys: for an etcd that nobody else uses',
    }),
    members: Flags.string({ description: 'names of the voters as you take them to be; others are refused', helpValue: 'NAME,…' }),
    'dry-run': Flags.boolean({ description: 'only see whether the next loglet could be made', aliases: ['plan'] }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
    ...SERVERS_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos log switch kv --to etcd --etcd-endpoints http://127.0.0.1:23790 --dry-run',
    '<%= config.bin %> delos log switch kv --to file --yes',
    '<%= config.bin %> delos log switch kv --back --yes',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(LogSwitch)
    if (flags.to === 'etcd' && words(flags['etcd-endpoints']).length === 0)
      throw new MusterError('USAGE', '--to etcd needs --etcd-endpoints')
    if (!flags['dry-run']) await confirmYes('Move the log now?', flags.yes, process)
    const request = defined({
      to: flags.to,
      back: flags.back,
      dryRun: flags['dry-run'],
      endpoints: words(flags['etcd-endpoints']),
      prefix: flags['etcd-prefix'],
      user: flags['etcd-user'],
      passwordFile: flags['etcd-password-file'],
      caFile: flags['etcd-cacert'],
      certFile: flags['etcd-cert'],
      keyFile: flags['etcd-key'],
      compacts: flags['etcd-compact'],
      members: words(flags.members),
    })
    const operator = await this.operator(flags, args.log as 'control' | 'kv')
    try {
      await this.answer(this.dottedId, await operator.ask<SwitchAnswer | SwitchTrial>('log/switch', request), renderSwitch)
    } finally {
      operator.close()
    }
  }
}
