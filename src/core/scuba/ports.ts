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

/** What a leaf is told to open and to ask for pages. */
export interface IntakeOptions {
  ports: IntakeAddresses
  /** `JOB=URL`, see `decode/prometheus/target.ts` */
  scrape: readonly string[]
}

export const NO_INTAKE: IntakeOptions = { ports: {}, scrape: [] }

/** As the leaf's and the server's programs take it. */
export function intakeArgs({ ports, scrape }: IntakeOptions): string[] {
  const named = INTAKE_PORTS.flatMap((name) => (ports[name] === undefined ? [] : [`--${name}`, ports[name]]))
  return [...named, ...scrape.flatMap((target) => ['--scrape', target])]
}

/** The same, as `util.parseArgs` wants it and gives it. */
const TEXT = { type: 'string' } as const
export const INTAKE_ARGS = {
  ...{ otlp: TEXT, prometheus: TEXT, syslog: TEXT, lines: TEXT },
  scrape: { type: 'string', multiple: true },
} as const

export function intakeOf(values: { [Name in IntakePort]?: string | undefined } & { scrape?: string[] | undefined }): IntakeOptions {
  const named = INTAKE_PORTS.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]] as const]))
  return { ports: Object.fromEntries(named), scrape: values.scrape ?? [] }
}

/** Null when it is none. Port 0 is a free one. */
export function parseIntakeAddress(text: string): IntakeAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:=[\]\s]+)):(\d{1,5})(?:=([a-z][a-z0-9_]{0,62}))?$/.exec(text)
  if (match === null || Number(match[3]) > 65_535) return null
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]), table: match[4] ?? null }
}
