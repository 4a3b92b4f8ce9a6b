import type { ExitCode } from '../errors.ts'

export interface ErrorRow {
  exit: ExitCode
  what: string
  hint: string
}

/** Keeps the literal keys, so that `ErrorCode` is a union of them. */
export function defineErrors<K extends string>(rows: Record<K, ErrorRow>): Record<K, ErrorRow> {
  return rows
}
