import { existsSync } from 'node:fs'
import { succeeds, systemProgram } from './programs.ts'
import type { TaskCgroup } from './cgroups.ts'

/** What of the host a task in namespaces must not see or change; a task that runs as root could undo it: order, not a fence. */
const MASKED = ['/proc/kcore', '/proc/keys', '/proc/sysrq-trigger', '/proc/timer_list']

let cachedNamespaces: boolean | null = null

/** Whether this process may make pid and mount namespaces (tried once, not guessed from the uid). */
export function canUseNamespaces(): boolean {
  cachedNamespaces ??=
    process.getuid?.() === 0 && succeeds('unshare', ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', 'true'])
  return cachedNamespaces
}

/** What stands before the shim in its command line: the namespaces, made by util-linux's unshare; they die with the shim. */
export function namespacePrefix(): string[] {
  return [systemProgram('unshare') ?? 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--']
}

/**
 * Shell text that the child sources before it becomes the command: joins its cgroups, and in namespaces mounts its own
 * /proc, hides the keys of the control plane and makes the shared artifact read-only.
 */
export function prepareScript(options: {
  cgroup: TaskCgroup | null
  isIsolated: boolean
  keys: string
  artifact: string | null
  cwd: string
}): string {
  const lines = ['ulimit -c 0']
  for (const file of options.cgroup?.procsFiles() ?? []) lines.push(`echo 0 > ${quote(file)} || exit 126`)
  if (options.isIsolated) {
    const mount = systemProgram('mount') ?? 'mount'
    lines.push(`${mount} -t proc proc /proc || exit 126`)
    for (const file of MASKED) lines.push(`[ ! -e ${file} ] || ${mount} --bind /dev/null ${file} 2> /dev/null`)
    if (existsSync(options.keys)) lines.push(`${mount} -t tmpfs -o size=4k,mode=0700 none ${quote(options.keys)} || exit 126`)
    if (options.artifact !== null) {
      const folder = quote(options.artifact)
      lines.push(`${mount} --bind ${folder} ${folder} && ${mount} -o remount,ro,bind ${folder} || exit 126`)
    }
  }
  // Entered last: a folder entered before would still be the one below the new mount.
  lines.push(`cd ${quote(options.cwd)} || exit 126`)
  return `${lines.join('\n')}\n`
}

/** One word for a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** What precedes a command that is to run beside the task: nsenter into its namespaces when it has any. */
export function enterPrefix(pid: number, isIsolated: boolean, cwd: string): string[] {
  return isIsolated ? [systemProgram('nsenter') ?? 'nsenter', '-t', String(pid), '-m', '-p', `--wd=${cwd}`, '--'] : []
}
