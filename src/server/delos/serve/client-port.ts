import { MusterError } from '../../../core/kernel/errors.ts'
import { openEtcdPort, type EtcdPort, type EtcdPortOptions } from '../etcd/port.ts'

/** Opens a port for etcd's clients. Rejects with PORT_TAKEN, which names the flag that gives another one. */
export async function openPortForClients(options: EtcdPortOptions, flag: string): Promise<EtcdPort> {
  try {
    return await openEtcdPort(options)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error
    throw new MusterError('PORT_TAKEN', `${options.host}:${options.port} for clients cannot be opened (${code})`, {
      hint: `Give another one with ${flag}.`,
      cause: error,
    })
  }
}
