import { SHARED_ERRORS } from './errors/shared.ts'
import { DELOS_ERRORS } from './errors/delos.ts'
import { TW_ERRORS } from './errors/tw.ts'
import { DEPLOY_ERRORS } from './errors/deploy.ts'
import { SCUBA_ERRORS } from './errors/scuba.ts'
import { SEV_ERRORS } from './errors/sev.ts'
import { CHAOS_ERRORS } from './errors/chaos.ts'

/**
 * The one table of error codes. `exit` is the command's exit code, `what` explains the code in `muster explain` and
 * in docs/errors/, `hint` says what to type next when the place of the error knows nothing better.
 */
export const ERRORS = {
  ...SHARED_ERRORS,
  ...DELOS_ERRORS,
  ...TW_ERRORS,
  ...DEPLOY_ERRORS,
  ...SCUBA_ERRORS,
  ...SEV_ERRORS,
  ...CHAOS_ERRORS,
} as const

export type ErrorCode = keyof typeof ERRORS
