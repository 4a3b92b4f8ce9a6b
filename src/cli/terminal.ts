/** What one output stream is able to show. Decided once per command and handed to the pure renderers. */
export interface View {
  /** columns to use, or null: do not truncate (not a terminal) */
  width: number | null
  hasColor: boolean
  isTty: boolean
  /** `-o wide` */
  isWide: boolean
}

export interface ViewOptions {
  /** `--no-color` was given, or the config says so */
  noColor: boolean
  isWide: boolean
}

/** NO_COLOR and TERM=dumb switch colour off, FORCE_COLOR on; else a terminal has it. See no-color.org. */
export function viewOf(stream: NodeJS.WriteStream, options: ViewOptions, env: NodeJS.ProcessEnv = process.env): View {
  const isTty = stream.isTTY === true
  return { width: isTty ? (stream.columns ?? 80) : null, hasColor: wantsColor(isTty, options.noColor, env), isTty, isWide: options.isWide }
}

export function wantsColor(isTty: boolean, noColor: boolean, env: NodeJS.ProcessEnv): boolean {
  if (noColor || env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true
  return isTty && env['TERM'] !== 'dumb'
}

/** A view for tests and files: no colour, nothing truncated. */
export const PLAIN: View = { width: null, hasColor: false, isTty: false, isWide: false }
