import type { ReceiptList } from '../operations/receipts.ts'

/** Of receipts of several leaves so many, the newest first. */
export const newestReceipts = (receipts: ReceiptList['receipts'], limit: number): ReceiptList['receipts'] =>
  receipts.toSorted((a, b) => b.receivedMs - a.receivedMs).slice(0, limit)
