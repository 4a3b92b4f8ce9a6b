/** An entry of a log, as `delos.log.ls` and the event stream tell it. */
export interface LogEntry {
  position: number
  type: string
  v: number
  at: number
  actor: string
  body: unknown
  notable?: { system: string; kind: string; target: string; service: string | null; text: string }
}
