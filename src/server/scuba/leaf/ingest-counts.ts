import { isOwnTable } from '../../../core/scuba/names.ts'
import type { Quotas } from './quotas.ts'
import type { TableTail } from './table.ts'

/** What came in, was refused and met a bound since it was last told. Muster's own tables are not counted, so that telling it cannot feed back. */
export class IngestCounts {
  readonly #tables = new Map<string, { rows: number; bytes: number; quarantined: number }>()

  add(table: string, rows: number, quarantined: number, bytes: number): void {
    if (isOwnTable(table)) return
    const sum = this.#tables.get(table) ?? { rows: 0, bytes: 0, quarantined: 0 }
    this.#tables.set(table, { rows: sum.rows + rows, bytes: sum.bytes + bytes, quarantined: sum.quarantined + quarantined })
  }

  /** As rows of `muster_metrics`, from nothing again afterwards. */
  take(tails: readonly TableTail[], quotas: Quotas, nowMs: number): Record<string, unknown>[] {
    const came = [...this.#tables].map(([target, { rows, bytes, quarantined }]) => ({
      ...{ time: nowMs, name: 'scuba.ingest', target, value: rows, bytes, quarantined },
    }))
    this.#tables.clear()
    const refused = quotas.takeRefused().map(([target, { requests, bytes }]) => ({
      ...{ time: nowMs, name: 'scuba.quota.refused', target, value: requests, bytes },
    }))
    const capped = tails.flatMap(({ name: target, columns }) =>
      columns.caps.takeNew().map(([cap, value]) => ({ time: nowMs, name: 'scuba.capped', target, value, cap })),
    )
    return [...came, ...refused, ...capped]
  }
}
