import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { cpuFlag, gpuFlag, memoryFlag } from '../../../cli/flags/amounts.ts'

const operation = remote('tw.quota.set', async () => (await import('../../../core/tw/operations.ts')).quotaSet)

export default class TwQuotaSet extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Limit what an owner may take, guaranteed or not.'
  static override description =
    'A task that would pass the quota waits (TW_QUOTA) until it is raised or something of the owner ends; nothing that runs is stopped. ' +
    'Best-effort tasks are not counted.'
  static override args = { entitlement: Args.string({ description: 'the owner', required: true }) }
  static override flags = {
    cpu: Flags.string({ description: 'most cpu; `none` is without limit', helpValue: '32' }),
    memory: Flags.string({ description: 'most memory; `none` is without limit', helpValue: '64GiB' }),
    gpu: Flags.string({ description: 'most GPUs of a model', multiple: true, helpValue: 'T4=16' }),
    lift: Flags.boolean({ description: 'no limit any more', exclusive: ['cpu', 'memory', 'gpu'] }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw quota set shop --cpu 32 --memory 64GiB --plan',
    '<%= config.bin %> tw quota set shop --lift',
  ]

  input({ args, flags }: Parsed<typeof TwQuotaSet>): InputOf<typeof operation> {
    return defined({
      name: args.entitlement ?? '',
      cpuMilli: flags.cpu === 'none' ? null : cpuFlag(flags.cpu),
      memoryBytes: flags.memory === 'none' ? null : memoryFlag(flags.memory),
      gpus: gpuFlag(flags.gpu),
      isLifted: flags.lift ?? false,
      reason: flags.reason ?? '',
    })
  }

  render(data: OutputOf<typeof operation>): string {
    return `quota of ${data.name} is set`
  }
}
