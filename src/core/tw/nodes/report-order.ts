import type { Db, ReadDb } from '../../contracts/storage.ts'

/** Which word of an agent a report is: a life of the agent, and what number in it. */
export interface ReportMark {
  bootId: string
  /** ticks between the machine's boot and the agent's start */
  instance: number
  /** from 1 in each life */
  seq: number
}

/**
 * Whether a report was sent after the last one that counted. Networks and servers in between may deliver late and twice; taken as news, an
 * old word would take a task back that serves by now. Of a machine that was booted again nothing older is under way.
 */
export function isLater(last: ReportMark | undefined, next: ReportMark): boolean {
  if (last === undefined || last.bootId !== next.bootId) return true
  return next.instance === last.instance ? next.seq > last.seq : next.instance > last.instance
}

export function reportMark(db: ReadDb, node: string): ReportMark | undefined {
  return db.get<ReportMark>('SELECT boot_id AS bootId, instance, seq FROM tw_node_report WHERE node = ?', node)
}

/** Takes note of a report; false: an older one came late, and nothing of it counts. */
export function takeReport(db: Db, node: string, mark: ReportMark): boolean {
  if (!isLater(reportMark(db, node), mark)) return false
  db.run(
    'INSERT OR REPLACE INTO tw_node_report (node, boot_id, instance, seq) VALUES (?, ?, ?, ?)',
    node,
    mark.bootId,
    mark.instance,
    mark.seq,
  )
  return true
}
