import { scubaDerivedCheck, scubaDerivedList, scubaDerivedPut, scubaDerivedRm } from './operations/derived.ts'
import { scubaQuarantineDrop, scubaQuarantineList, scubaQuarantineReplay, scubaQuarantineShow } from './operations/quarantine.ts'
import { scubaQuotaList, scubaQuotaPut, scubaQuotaRm } from './operations/quotas.ts'
import { scubaReceiptList } from './operations/receipts.ts'
import { scubaErase, scubaHoldList, scubaHoldPut, scubaHoldRm, scubaRetentionPut, scubaRetentionShow } from './operations/retention.ts'
import { scubaLeafAside, scubaLeafAsideSettle } from './operations/aside.ts'
import { scubaCompact, scubaLeafJoin, scubaLeafLeave, scubaLeafList, scubaSegmentList, scubaVerify } from './operations/segments.ts'
import { scubaColumnList, scubaTableDrop, scubaTablePut, scubaTableRename } from './operations/tables.ts'

/** What can be asked of tables as such: declaring, keeping, deriving, mending. */
export const registryOperations = [
  scubaTablePut,
  scubaTableRename,
  scubaTableDrop,
  scubaColumnList,
  scubaDerivedPut,
  scubaDerivedCheck,
  scubaDerivedList,
  scubaDerivedRm,
  scubaRetentionShow,
  scubaRetentionPut,
  scubaHoldPut,
  scubaHoldList,
  scubaHoldRm,
  scubaErase,
  scubaQuotaPut,
  scubaQuotaList,
  scubaQuotaRm,
  scubaQuarantineList,
  scubaQuarantineShow,
  scubaQuarantineReplay,
  scubaQuarantineDrop,
  scubaSegmentList,
  scubaVerify,
  scubaCompact,
  scubaLeafList,
  scubaLeafJoin,
  scubaLeafLeave,
  scubaLeafAside,
  scubaLeafAsideSettle,
  scubaReceiptList,
] as const

/** Those of them that look at what the leaf last said beside the state. */
export const SOFT_OPERATIONS = [
  scubaTablePut,
  scubaTableRename,
  scubaTableDrop,
  scubaDerivedPut,
  scubaRetentionPut,
  scubaHoldPut,
  scubaQuotaPut,
].map(({ name }) => name)
