import { readdirSync, readFileSync } from 'node:fs'
import { identify, type ProcessId } from '../../platform/process.ts'

/** Ends of the paths of muster's own programs, from the sources and from the bundle. */
const PROGRAM = /\/(server\/main|agent\/main|agent\/mesh\/proxy-main|server\/scuba\/leaf-main|server\/scuba\/engine-main)\.(ts|js)$/

/**
 * Processes of a context whose starter was killed before it could write down their pid: they run one of muster's own
 * programs and name the context's state directory among their arguments.
 */
export function strayProcesses(root: string): ProcessId[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      const argv = argvOf(name)
      return (
        argv.slice(0, 4).some((argument) => PROGRAM.test(argument)) &&
        argv.some((argument) => argument === root || argument.includes(`${root}/`))
      )
    })
    .flatMap((name) => identify(Number(name)) ?? [])
}

function argvOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}
