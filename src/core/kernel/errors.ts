import { ERRORS, type ErrorCode } from './error-table.ts'

/** Exit codes of every command; the one table the help topic `exit-codes` prints. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notPermitted: 4,
  conflict: 5,
  unavailable: 6,
  findings: 7,
  partial: 8,
  bug: 70,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface ErrorBody {
  code: string
  message: string
  hint: string
  docs: string
  exit: number
  details?: unknown
}

/**
 * The one error class: an expected refusal or failure that a person can act on. Codes, exit codes and default hints
 * come from `error-table.ts`. Core returns it as a value; shells throw it.
 */
export class MusterError extends Error {
  override readonly name = 'MusterError'
  readonly code: ErrorCode
  readonly hint: string
  readonly exit: ExitCode
  readonly details: unknown

  constructor(code: ErrorCode, message: string, options: { hint?: string; details?: unknown; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint ?? ERRORS[code].hint
    this.exit = ERRORS[code].exit
    this.details = options.details
  }

  get docs(): string {
    return `docs/errors/${this.code}.md`
  }

  /** What crosses a border: the `error` member of the output envelope and of an HTTP answer. */
  toJSON(): ErrorBody {
    const body: ErrorBody = { code: this.code, message: this.message, hint: this.hint, docs: this.docs, exit: this.exit }
    if (this.details !== undefined) body.details = this.details
    return body
  }
}

/** Shorthand for `new MusterError`, read as a value: `return refuse('TW_JOB_UNKNOWN', …)`. */
export function refuse(code: ErrorCode, message: string, options: { hint?: string; details?: unknown; cause?: unknown } = {}): MusterError {
  return new MusterError(code, message, options)
}

export function isRefusal(value: unknown): value is MusterError {
  return value instanceof MusterError
}

/** Back from its JSON, e.g. out of an HTTP answer; an unknown code becomes `INTERNAL`, and stands in the details ({@link unknownCodeOf}). */
export function errorFromBody(body: ErrorBody): MusterError {
  if (body.code in ERRORS) return new MusterError(body.code as ErrorCode, body.message, { hint: body.hint, details: body.details })
  return new MusterError('INTERNAL', body.message, { hint: body.hint, details: { unknownCode: body.code, details: body.details } })
}

/** The code of an error from elsewhere that this version does not know; null: it knows it. */
export function unknownCodeOf({ code, details }: MusterError): string | null {
  return code === 'INTERNAL' ? ((details as { unknownCode?: string } | undefined)?.unknownCode ?? null) : null
}
