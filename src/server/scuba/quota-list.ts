import type { z } from 'zod'
import type { ReadDb } from '../../core/contracts/storage.ts'
import type { RegistrySoft } from '../../core/scuba/observed.ts'
import type { scubaQuotaList } from '../../core/scuba/operations/quotas.ts'
import { storedQuotas } from '../../core/scuba/registry-state.ts'
import type { ScubaClient } from './client.ts'

/** Every quota, with what the leaves that answer counted of it. */
export async function listQuotas(
  db: ReadDb,
  { peers = [] }: RegistrySoft,
  client: Pick<ScubaClient, 'health'>,
): Promise<z.input<typeof scubaQuotaList.output>> {
  const own = await client.health().catch(() => null)
  const counts = [own, ...peers.map(({ health }) => health)].flatMap((health) => health?.quotas ?? [])
  return {
    quotas: storedQuotas(db).map((quota) => {
      const its = counts.filter(({ kind, name }) => kind === quota.kind && name === quota.name)
      const sum = (of: 'takenBytes' | 'refusedRequests' | 'refusedBytes'): number => its.reduce((total, each) => total + each[of], 0)
      return { ...quota, takenBytes: sum('takenBytes'), refusedRequests: sum('refusedRequests'), refusedBytes: sum('refusedBytes') }
    }),
  }
}
