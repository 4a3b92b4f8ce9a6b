import type { ErrorBody } from '../../core/kernel/errors.ts'
import type { View } from '../terminal.ts'
import { paint } from './style.ts'

/** What happened, what to type next, where it is written. */
export function renderError(view: View, error: ErrorBody): string {
  const lines = [`${paint(view, 'red', '✖')} ${error.message}`]
  if (error.hint) lines.push(`  ${error.hint}`)
  lines.push(paint(view, 'dim', `  ${error.code}: muster explain ${error.code}`))
  return lines.join('\n')
}

/** A bug says so, and how to report it. */
export function renderBug(view: View, error: Error, version: string, command: string): string {
  return [
    `${paint(view, 'red', '✖')} A bug in muster: ${error.message}`,
    '  Nothing that was acknowledged is lost. Please report it with the lines below and the log that `muster status` names.',
    paint(view, 'dim', `  muster ${version}, node ${process.version}, ${process.platform}-${process.arch}, command: muster ${command}`),
    paint(view, 'dim', (error.stack ?? '').split('\n').slice(1, 9).join('\n')),
  ].join('\n')
}
