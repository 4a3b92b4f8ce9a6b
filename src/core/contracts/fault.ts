/** A fault one node carries out. Class and undo are the driver's; it ends at its lease whoever is alive. */
export interface FaultOrder {
  /** `run/n` */
  id: string
  run: string
  /** e.g. `legion.kill`, `legion.pause` (mesh faults travel in the mesh snapshot) */
  fault: string
  /** the task's row id, and its incarnation when it was chosen */
  task: number
  incarnation: number
  arguments: Record<string, string | number>
  /** hard end, log time in ms */
  untilMs: number
  leaseMs: number
  want: 'armed' | 'reverted'
}
