import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import type { RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'

export const CLUSTER = '00000000000000c1'

export const idOf = (server: number): string => server.toString(16).padStart(16, '0')

/** Version 1 of a cluster of so many voters. */
export function first(voters: number): RegisterValue {
  return genesis(
    CLUSTER,
    Array.from({ length: voters }, (_, i) => ({ id: idOf(i + 1), name: `s${i + 1}`, addresses: [`http://10.0.0.${i + 1}:2380`] })),
  )
}
