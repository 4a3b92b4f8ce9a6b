import { existsSync } from 'node:fs'
import { join } from 'node:path'
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

/** What the child reads before it becomes the command. */
export interface Preparation {
  /** shell text that it sources */
  script: string
  /** its mounts, as fstab(5) has them; null: it makes none */
  mounts: string | null
}

/**
 * How the child prepares itself: in namespaces it mounts its own /proc, hides the keys of the control plane and makes the shared artifact
 * read-only, all by one `mount`, since each process that is started counts; then it joins its cgroups.
 * @param options.folder the task's; the mounts are read from its file `mounts`
 */
export function preparationOf(options: {
  folder: string
  cgroup: TaskCgroup | null
  isIsolated: boolean
  keys: string
  artifact: string | null
  cwd: string
}): Preparation {
  const lines = ['ulimit -c 0']
  const masked = options.isIsolated ? MASKED.filter((file) => existsSync(file)) : []
  if (options.isIsolated) {
    lines.push(`${systemProgram('mount') ?? 'mount'} -a -T ${quote(join(options.folder, 'mounts'))} || exit 126`)
    // `mount -a` leaves out what it takes to be there already, e.g. by a mask of the /proc that lies below.
    for (const file of masked) lines.push(`[ -c ${file} ] || exit 126`)
  }
  // Not before the mounts: with a small share of a busy machine's cpu they would take long.
  for (const file of options.cgroup?.procsFiles() ?? []) lines.push(`echo 0 > ${quote(file)} || exit 126`)
  // Entered last: a folder entered before would still be the one below the new mount.
  lines.push(`cd ${quote(options.cwd)} || exit 126`)
  return { script: `${lines.join('\n')}\n`, mounts: options.isIsolated ? mountsOf(options, masked) : null }
}

function mountsOf(
  { folder, keys, artifact }: { folder: string; keys: string; artifact: string | null },
  masked: readonly string[],
): string {
  // A source that nobody else has: one that stands at the place already would be taken for it.
  const own = fstabWord(`muster:${folder}`)
  const lines = [`${own} /proc proc defaults`, ...masked.map((file) => `/dev/null ${file} none bind`)]
  if (existsSync(keys)) lines.push(`${own} ${fstabWord(keys)} tmpfs size=4k,mode=0700`)
  if (artifact !== null) {
    const place = fstabWord(artifact)
    lines.push(`${place} ${place} none bind`, `${place} ${place} none remount,ro,bind`)
  }
  return lines.map((line) => `${line} 0 0\n`).join('')
}

/** A field of fstab(5), with escapes for what ends one. */
function fstabWord(text: string): string {
  return text.replaceAll(/[\s\\#]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

/** One word for a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** What precedes a command that is to run beside the task: nsenter into its namespaces when it has any. */
export function enterPrefix(pid: number, isIsolated: boolean, cwd: string): string[] {
  return isIsolated ? [systemProgram('nsenter') ?? 'nsenter', '-t', String(pid), '-m', '-p', `--wd=${cwd}`, '--'] : []
}
