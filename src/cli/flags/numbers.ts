import { MusterError } from '../../core/kernel/errors.ts'

/** The number of an op as it was typed; throws USAGE. */
export function opNumber(text: string | undefined): number {
  return numberOf('an op', text, 'List them with `muster tw op ls`.')
}

/** The number of a maintenance as it was typed; throws USAGE. */
export function maintenanceNumber(text: string | undefined): number {
  return numberOf('a maintenance', text, 'List them with `muster tw maintenance ls`.')
}

function numberOf(what: string, text: string | undefined, hint: string): number {
  if (text !== undefined && /^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new MusterError('USAGE', `"${text ?? ''}" is not the number of ${what}`, { hint })
}
