import type { StoreClient } from '../../client/connect.ts'
import { resign } from '../../core/delos/recipes/etcd/election.ts'
import { leaseName, only, rangeRequest } from '../../core/delos/recipes/etcd/request.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { keyOf } from './key-text.ts'

/** Steps down by key or lease, or as who was elected by the `elect run` that we run in. Rejects with NOT_FOUND if nobody stands there. */
export async function resignFrom(
  client: StoreClient,
  { name, key, lease }: { name: string; key: string | null; lease: bigint | null },
  env: NodeJS.ProcessEnv,
): Promise<{ name: string; key: string; token: number; revision: number }> {
  const own = env['MUSTER_ELECT_NAME'] === name ? env['MUSTER_ELECT_KEY'] : undefined
  const given = key ?? (lease === null ? own : `${name}/${leaseName(lease)}`)
  if (given === undefined)
    throw new MusterError('USAGE', `who shall step down from ${name}?`, {
      hint: 'Give --place or --lease; `delos elect observe` shows the key.',
    })
  if (!given.startsWith(`${name}/`)) throw new MusterError('USAGE', `the key ${given} is not of the election ${name}`)
  const found = await client.range(rangeRequest(only(keyOf(given))))
  // Who was elected in this very term, not who may have followed under the same key.
  const token = given === own ? Number(env['MUSTER_ELECT_TOKEN']) : (found.kvs[0]?.create_revision ?? 0)
  const done = token === 0 ? null : await client.txn(resign({ key: keyOf(given), token }))
  if (done?.succeeded !== true) throw new MusterError('NOT_FOUND', `nobody stands for ${name} under ${given}`)
  return { name, key: given, token, revision: done.header.revision }
}
