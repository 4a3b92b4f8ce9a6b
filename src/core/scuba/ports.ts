/** Ports of the leaf that are opened when `muster up` is told where. */
export const INTAKE_PORTS = ['otlp', 'prometheus', 'syslog', 'lines'] as const
export type IntakePort = (typeof INTAKE_PORTS)[number]

/** Where each shall listen: `HOST:PORT`; `lines` may add `=TABLE`. */
export type IntakeAddresses = Partial<Record<IntakePort, string>>

export interface IntakeAddress {
  host: string
  port: number
  /** rows of `lines` that say no table of their own */
  table: string | null
}

/** Null when it is none. Port 0 is a free one. */
export function parseIntakeAddress(text: string): IntakeAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:=[\]\s]+)):(\d{1,5})(?:=([a-z][a-z0-9_]{0,62}))?$/.exec(text)
  if (match === null || Number(match[3]) > 65_535) return null
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]), table: match[4] ?? null }
}
