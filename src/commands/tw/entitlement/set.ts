import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { cpuFlag, gpuFlag, memoryFlag } from '../../../cli/flags/amounts.ts'

const operation = remote('tw.entitlement.set', async () => (await import('../../../core/tw/operations.ts')).entitlementSetCommand)

export default class TwEntitlementSet extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Guarantee capacity to an owner, such as a team; jobs name it with `entitlement:`.'
  static override description =
    'What is guaranteed is kept free for the tasks of the owner: others are not placed there, but for best-effort ones, which go first. ' +
    'With --buffer, also the loss of the largest node, rack or zone leaves room for all of it. What is left out stays as it is.'
  static override args = { entitlement: Args.string({ description: 'its name', required: true }) }
  static override flags = {
    cpu: Flags.string({ description: 'guaranteed cpu', helpValue: '8' }),
    memory: Flags.string({ description: 'guaranteed memory', helpValue: '16GiB' }),
    gpu: Flags.string({ description: 'guaranteed GPUs of a model', multiple: true, helpValue: 'T4=16' }),
    buffer: Flags.option({
      options: ['none', 'node', 'rack', 'zone'] as const,
      description: 'the loss that it survives: of the largest one of these',
    })(),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw entitlement set shop --cpu 8 --memory 16GiB --buffer rack --plan',
    '<%= config.bin %> tw entitlement set ml --gpu T4=16',
  ]

  input({ args, flags }: Parsed<typeof TwEntitlementSet>): InputOf<typeof operation> {
    return defined({
      name: args.entitlement ?? '',
      cpuMilli: cpuFlag(flags.cpu),
      memoryBytes: memoryFlag(flags.memory),
      gpus: gpuFlag(flags.gpu),
      buffer: flags.buffer,
      reason: flags.reason ?? '',
    })
  }

  render(data: OutputOf<typeof operation>): string {
    return `entitlement ${data.name} is set`
  }
}
