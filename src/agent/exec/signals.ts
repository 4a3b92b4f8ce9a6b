import { constants } from 'node:os'

/** `SIGTERM` or `TERM` → a signal's name; anything unknown becomes SIGTERM. */
export function signalName(text: string): NodeJS.Signals {
  const name = text.startsWith('SIG') ? text : `SIG${text}`
  return name in constants.signals ? (name as NodeJS.Signals) : 'SIGTERM'
}

/** Exit reason in the words of TaskReport: a shell's 128 + N is death by signal N. */
export function exitReason(code: number): string {
  const number = code - 128
  const signal = number > 0 ? Object.entries(constants.signals).find(([, value]) => value === number) : undefined
  return signal ? `signal ${signal[0]}` : `exit ${code}`
}
