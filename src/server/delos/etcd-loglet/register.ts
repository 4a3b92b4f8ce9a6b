import type { StoreClient } from '../../../client/connect.ts'
import { firstAt, modifiedAt, only, put, read, txn } from '../../../core/delos/recipes/etcd/request.ts'
import type { EtcdAnswer, EtcdRequest } from '../../../core/delos/virtual-log/register-contract.ts'
import { etcdClient, etcdConfigSchema } from './client.ts'

/** Connections that are kept, by the configuration they belong to. */
const clients = new Map<string, StoreClient>()

/** Reads or sets the register's key in the etcd that decides about it. Never rejects: what went wrong is an unknown outcome. */
export async function askRegister({ config, ask }: EtcdRequest): Promise<EtcdAnswer> {
  try {
    const etcd = etcdConfigSchema.parse(config)
    const name = JSON.stringify(etcd)
    const client = clients.get(name) ?? etcdClient(etcd)
    clients.set(name, client)
    const key = `${etcd.prefix}/register`
    if (ask.kind === 'cas') {
      const answer = await client.txn(txn([modifiedAt(key, ask.modRevision)], [put(key, ask.bytes, 0n)], [read(only(key))]))
      if (answer.succeeded) return { kind: 'put', modRevision: answer.header.revision }
      const found = firstAt(answer, 0)
      return { kind: 'is', modRevision: found?.mod_revision ?? 0, bytes: found?.value ?? null }
    }
    const found = firstAt(await client.txn(txn([], [read(only(key))])), 0)
    return { kind: 'is', modRevision: found?.mod_revision ?? 0, bytes: found?.value ?? null }
  } catch {
    // Asked again by whoever wants to know.
    return { kind: 'unknown' }
  }
}
