import { LIMITS } from '../limits.ts'
import { RESERVED } from './columns.ts'

/** Keys whose values are time or bookkeeping of ours, never the row's own columns. */
export const isReserved = (key: string): boolean => key in RESERVED

const encoder = new TextEncoder()
// oxlint-disable-next-line no-control-regex -- the engine cannot be told names with them
const CONTROL = /[\u0000-\u001f\u007f]/

/** Names that can be written into SQL and read back the same. */
export function canBeColumn(name: string): boolean {
  return name !== '' && !CONTROL.test(name) && name.isWellFormed() && encoder.encode(name).length <= LIMITS.keyBytesMax
}
