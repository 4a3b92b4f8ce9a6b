import { openChannel, type ChannelOptions } from '../../client/channel.ts'
import { METHODS } from '../../core/delos/wire/methods.ts'
import { isRefusal } from '../../core/kernel/errors.ts'

export interface AuthStatusView {
  isEnabled: boolean
  /** of the users and roles; null: an etcd before 3.5, which does not tell */
  authRevision: number | null
}

/** Asked as nobody, since who is asked for a password first would not learn whether one is needed. */
export async function authStatus({ endpoints, tls }: ChannelOptions): Promise<AuthStatusView> {
  const channel = openChannel({ endpoints, ...(tls === undefined ? {} : { tls }), patienceMs: 0 })
  const effect = { effect: 'read' } as const
  try {
    const { enabled, authRevision } = await channel.call(METHODS['Auth/AuthStatus'], {}, effect)
    return { isEnabled: enabled, authRevision }
  } catch (error) {
    if (isRefusal(error) && error.code === 'NOT_PERMITTED') return { isEnabled: true, authRevision: null }
    // An etcd before 3.5 has no such call: whether it lets nobody list its users tells as much.
    try {
      await channel.call(METHODS['Auth/UserList'], {}, effect)
      return { isEnabled: false, authRevision: null }
    } catch (refused) {
      if (isRefusal(refused) && refused.code === 'NOT_PERMITTED') return { isEnabled: true, authRevision: null }
      throw refused
    }
  } finally {
    channel.close()
  }
}
