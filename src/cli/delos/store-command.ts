import type { Channel } from '../../client/channel.ts'
import type { METHODS } from '../../core/delos/wire/methods.ts'
import { existsSync } from 'node:fs'
import type { Operator } from '../../client/operator.ts'
import { Flags, MusterCommand } from '../command.ts'
import { namesServers, operatorOf, STORE_FLAGS, storeOptions, type StoreFlags } from '../flags/store.ts'

export { STORE_FLAGS } from '../flags/store.ts'

/** Flags of what changes a store: where it is, and whether to ask first. */
export const STORE_CHANGE_FLAGS = {
  plan: Flags.boolean({ description: 'show what would change, change nothing', helpGroup: 'CHANGE' }),
  yes: Flags.boolean({ char: 'y', description: 'do not ask y/N', helpGroup: 'CHANGE' }),
  ...STORE_FLAGS,
}

export interface StoreCall {
  call: Channel['call']
  methods: typeof METHODS
}

/** A change of a store, before it is made. */
export interface StoreChange {
  /** a sentence: what will be so afterwards */
  text: string
  /** medium asks y/N */
  danger: 'low' | 'medium'
}

/** A command that asks a store, ours or etcd's, in the words of etcd's API. */
export abstract class StoreCommand extends MusterCommand {
  protected async withStore<T>(flags: StoreFlags, work: (store: StoreCall) => Promise<T>): Promise<T> {
    const { openChannel } = await import('../../client/channel.ts')
    const { METHODS: methods } = await import('../../core/delos/wire/methods.ts')
    const channel = openChannel(storeOptions(flags))
    try {
      return await work({ call: channel.call, methods })
    } finally {
      channel.close()
    }
  }

  /** True: what is asked is asked of the servers of this context. */
  protected isOfContext(flags: StoreFlags): boolean {
    const { socketPath } = this.client.target
    return !namesServers(flags) && (socketPath === undefined || existsSync(socketPath))
  }

  /** Operators' calls: to the servers that are named, else to those of this context, about one of its logs. */
  protected async operator(flags: StoreFlags, log: 'control' | 'kv' = 'kv'): Promise<Operator> {
    if (!this.isOfContext(flags)) return operatorOf(flags)
    const { contextOperator } = await import('./context-operator.ts')
    return contextOperator(this.client, log)
  }

  /** True: go on. False: only its plan was asked for, and is printed. Rejects with CONFIRM_REQUIRED. */
  protected async isAgreed({ text, danger }: StoreChange, flags: { plan: boolean; yes: boolean }): Promise<boolean> {
    if (flags.plan) {
      await this.answer('plan', { changes: [text], danger }, ({ changes }) => `${changes.join('\n')}\nNothing was changed yet.`)
      return false
    }
    if (danger === 'low') return true
    const { confirmYes } = await import('../confirm.ts')
    await confirmYes(`${text} Go on?`, flags.yes, { stdin: process.stdin, stderr: process.stderr })
    return true
  }
}

/** Which keys a permission is for. */
export const SPAN_FLAGS = {
  prefix: Flags.boolean({ description: 'all keys that start so', exclusive: ['from-key'] }),
  'from-key': Flags.boolean({ description: 'this key and all after it' }),
}
