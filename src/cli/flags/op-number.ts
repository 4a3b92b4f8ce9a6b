import { MusterError } from '../../core/kernel/errors.ts'

/** The number of an op as it was typed; throws USAGE. */
export function opNumber(text: string | undefined): number {
  if (text !== undefined && /^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new MusterError('USAGE', `"${text ?? ''}" is not the number of an op`, { hint: 'List them with `muster tw op ls`.' })
}
